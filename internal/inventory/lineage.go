package inventory

import "strings"

// Programs that serve requests from outside, or hold data, and seldom start others that talk. Versions and the suffixes of
// Debian (php-fpm8.2) are taken off.
var (
	webServers = namesOf("nginx", "apache2", "httpd", "lighttpd", "caddy", "php-fpm", "php-cgi", "fcgiwrap", "uwsgi", "gunicorn",
		"openlitespeed", "litespeed", "lshttpd", "thttpd", "unicorn", "puma", "passenger", "angie")
	databases = namesOf("mysqld", "mariadbd", "postgres", "postmaster", "mongod", "mongos", "redis-server", "valkey-server", "memcached",
		"clickhouse-server", "clickhouse", "sqlservr", "oracle", "influxd", "couchdb", "beam.smp", "neo4j")
	// javaServers are the words in a command line by which a Java server is told.
	javaServers   = []string{"catalina", "tomcat", "jetty", "weblogic", "jboss", "wildfly", "confluence", "jira", "solr", "coldfusion"}
	javaDatabases = []string{"elasticsearch", "opensearch", "cassandra"}
	shells        = namesOf("sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish", "csh", "tcsh", "busybox")
)

func namesOf(names ...string) map[string]bool {
	set := map[string]bool{}
	for _, n := range names {
		set[n] = true
	}
	return set
}

// lineage judges who started the process. A server's own workers are no children in this sense.
func lineage(s *Subject, note func(Code, bool)) {
	p := &s.Process
	ancestors := [...]struct{ path, cmdline string }{{p.ParentPath, p.ParentCmdline}, {p.GrandparentPath, p.GrandparentCmdline}}
	var web, database bool
	for _, a := range ancestors {
		if a.path == "" || baseName(a.path) == baseName(p.Program.Path) {
			continue
		}
		web = web || isServer(a.path, a.cmdline, webServers, javaServers)
		database = database || isServer(a.path, a.cmdline, databases, javaDatabases)
	}
	shell := shells[unversioned(baseName(p.ParentPath))]
	note(ParentWebServer, web)
	note(ParentDatabase, database)
	note(ParentShellNoTerminal, shell && s.Facts.Examined && !s.Facts.Terminal)
	note(OrphanedDaemon, orphaned(s))
}

func isServer(path, cmdline string, names map[string]bool, java []string) bool {
	name := unversioned(baseName(path))
	if name != "java" {
		return names[name]
	}
	lower := strings.ToLower(cmdline)
	return fits(java, func(word string) bool { return strings.Contains(lower, word) })
}

// unversioned takes a version off a name: php-fpm8.2, python3.11, mysqld-8.0.
func unversioned(name string) string {
	if i := strings.IndexAny(name, "0123456789"); i > 0 {
		return strings.TrimRight(name[:i], "-.")
	}
	return name
}

// launchers are the services whose children are no services: what they leave behind when it goes to init was started from
// a login or a schedule. launcherDaemons are what these services themselves run.
var (
	launchers       = namesOf("cron.service", "crond.service", "cronie.service", "atd.service", "ssh.service", "sshd.service", "anacron.service")
	launcherDaemons = namesOf("cron", "crond", "atd", "sshd", "anacron")
)

// orphaned reports whether init has inherited the process from somebody who has gone, instead of having started it as a
// service. Without systemd that cannot be told.
func orphaned(s *Subject) bool {
	p := &s.Process
	if p.Parent.PID != 1 || p.ContainerID != "" {
		return false
	}
	if launchers[p.SystemdUnit] || strings.HasPrefix(p.SystemdUnit, "sshd@") {
		return !launcherDaemons[baseName(p.Program.Path)]
	}
	return strings.HasSuffix(p.SystemdUnit, ".scope")
}
