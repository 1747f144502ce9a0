package sqlhost

import (
	"fmt"
	"strings"

	"modernc.org/sqlite"
)

// policy decides what a statement may do: read. It is the connection's SQLite authorizer, so nothing depends on reading
// SQL text.
type policy struct {
	administering bool   // the host itself attaches or drops a table
	nesting       bool   // the host is about to run a statement through runFunction
	refused       string // why the last statement was refused
}

// readPragmas are the pragmas that only describe tables.
const readPragmas = " table_info table_xinfo table_list function_list module_list pragma_list compile_options database_list collation_list "

func (p *policy) authorize(action sqlite.AuthorizerActionCode, arg1, arg2, _, _ string) sqlite.AuthorizerReturnCode {
	if p.administering {
		return sqlite.AuthorizerOK
	}
	switch action {
	case sqlite.AuthSelect, sqlite.AuthRead, sqlite.AuthRecursive:
		return sqlite.AuthorizerOK
	case sqlite.AuthFunction:
		switch strings.ToLower(arg2) {
		case "load_extension", "fts3_tokenizer":
			return p.refuse("function " + arg2)
		case runFunction:
			if !p.nesting {
				return p.refuse("function " + arg2)
			}
		}
		return sqlite.AuthorizerOK
	case sqlite.AuthPragma:
		name := strings.ToLower(arg1)
		if strings.Contains(readPragmas, " "+name+" ") {
			return sqlite.AuthorizerOK
		}
		return p.refuse("PRAGMA " + name)
	}
	if strings.HasPrefix(arg1, "sqlite_") {
		return p.refuse("a change of the schema") // CREATE and DROP begin by writing SQLite's own tables
	}
	return p.refuse(actionName(action))
}

func (p *policy) refuse(what string) sqlite.AuthorizerReturnCode {
	if p.refused == "" {
		p.refused = fmt.Sprintf("%s is refused: only statements that read are allowed", what)
	}
	return sqlite.AuthorizerDeny
}

func actionName(action sqlite.AuthorizerActionCode) string {
	switch action {
	case sqlite.AuthInsert:
		return "INSERT"
	case sqlite.AuthUpdate:
		return "UPDATE"
	case sqlite.AuthDelete:
		return "DELETE"
	case sqlite.AuthAttach:
		return "ATTACH"
	case sqlite.AuthDetach:
		return "DETACH"
	case sqlite.AuthTransaction, sqlite.AuthSavepoint:
		return "a transaction"
	case sqlite.AuthAlterTable:
		return "ALTER TABLE"
	case sqlite.AuthAnalyze:
		return "ANALYZE"
	case sqlite.AuthReindex:
		return "REINDEX"
	}
	return "a change of the schema"
}
