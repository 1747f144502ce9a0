package pack

import (
	"errors"
	"fmt"
	"strings"
)

// oneSelect returns the one statement in text without its semicolon, or why it is not one statement that begins with SELECT
// or WITH. Whether it is good SQL is for Prepare to say.
func oneSelect(text string) (string, error) {
	end, err := statementEnd(text)
	if err != nil {
		return "", err
	}
	statement, rest := strings.TrimSpace(text[:end]), strings.Trim(text[end:], "; \t\r\n")
	first, _, _ := strings.Cut(strings.ReplaceAll(statement, "(", " "), " ")
	first, _, _ = strings.Cut(first, "\n")
	switch word := strings.ToUpper(strings.TrimSpace(first)); {
	case statement == "":
		return "", errors.New("there is no statement")
	case word != "SELECT" && word != "WITH":
		return "", fmt.Errorf("a statement begins with SELECT or WITH, not with %.20q", first)
	case rest != "":
		return "", fmt.Errorf("there is more after the first statement: %.20q", rest)
	}
	return statement, nil
}

// statementEnd is the place of the first semicolon outside of strings, names in quotes and comments, or the length of text.
func statementEnd(text string) (int, error) {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == ';':
			return i, nil
		case c == '\'' || c == '"' || c == '`':
			n := strings.IndexByte(text[i+1:], c)
			if n < 0 {
				return 0, fmt.Errorf("the quotation that begins with %.20q has no end", text[i:])
			}
			i += n + 1
		case strings.HasPrefix(text[i:], "--"):
			i += max(strings.IndexByte(text[i:], '\n'), 0)
			if text[i] == '-' {
				return len(text), nil
			}
		case strings.HasPrefix(text[i:], "/*"):
			n := strings.Index(text[i+2:], "*/")
			if n < 0 {
				return 0, errors.New("a comment that begins with /* has no end")
			}
			i += n + 3
		case c == 0:
			return 0, errors.New("there is a zero byte")
		}
	}
	return len(text), nil
}
