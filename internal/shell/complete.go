package shell

import (
	"context"
	"slices"
	"strings"
	"time"
)

// completionPatience is how long Tab may wait for table and column names.
const completionPatience = time.Second

// completer knows the names Tab may complete. Names are asked for when they are first needed and kept.
type completer struct {
	querier Querier
	tables  []string
	columns map[string][]string // by table
}

var keywords = []string{"SELECT", "FROM", "WHERE", "JOIN", "USING", "GROUP BY", "ORDER BY", "LIMIT", "AND", "OR", "NOT", "IN", "LIKE",
	"AS", "ON", "LEFT", "DISTINCT", "COUNT", "WITH", "UNION", "BETWEEN", "IS", "NULL", "DESC", "HAVING"}

var commands = []string{".tables", ".schema", ".mode", ".help", ".exit", ".quit"}

// complete returns the words that may replace the one before pos in line. statement is what was typed on earlier lines.
func (c *completer) complete(statement, line string, pos int) (head string, words []string, tail string) {
	start := pos
	for start > 0 && wordByte(line[start-1]) {
		start--
	}
	if strings.TrimSpace(line[:start]) == "." {
		start-- // a command's dot is part of the word
	}
	word := line[start:pos]
	head, tail = line[:start], line[pos:]
	for _, candidate := range c.candidates(statement+" "+line, head, word) {
		if len(candidate) > len(word) && strings.EqualFold(candidate[:len(word)], word) {
			words = append(words, candidate)
		}
	}
	slices.Sort(words)
	return head, slices.Compact(words), tail
}

func (c *completer) candidates(sql, head, word string) []string {
	ctx, cancel := context.WithTimeout(context.Background(), completionPatience)
	defer cancel()
	if strings.HasPrefix(word, ".") {
		return commands
	}
	c.load(ctx)
	switch strings.TrimSpace(head) {
	case ".schema", ".tables":
		return c.tables
	case ".mode":
		return modeNames[:]
	}
	all := slices.Concat(c.tables, c.columnsOf(ctx, sql))
	if word == "" {
		return all
	}
	return append(all, keywords...)
}

func (c *completer) load(ctx context.Context) {
	if c.tables != nil {
		return
	}
	if names, err := tableNames(ctx, c.querier); err == nil { // no names is no reason to disturb who is typing
		c.tables, c.columns = names, map[string][]string{}
	}
}

// columnsOf returns the columns of the tables that sql names.
func (c *completer) columnsOf(ctx context.Context, sql string) []string {
	var columns []string
	words := strings.FieldsFunc(sql, func(r rune) bool { return r > 0x7f || !wordByte(byte(r)) })
	for _, table := range words {
		if !slices.Contains(c.tables, table) || !plainName.MatchString(table) {
			continue
		}
		if c.columns[table] == nil {
			names, _, err := c.querier.Columns(ctx, "SELECT * FROM "+table)
			if err != nil {
				continue
			}
			c.columns[table] = names
		}
		columns = append(columns, c.columns[table]...)
	}
	return columns
}

func wordByte(b byte) bool {
	return b == '_' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}
