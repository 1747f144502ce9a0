// flood PORT RATE SECONDS PROGRAM...: starts RATE processes a second and prints their PIDs. Each connects to PORT of the
// loopback and stays for 50 ms; every tenth executes one of the programs for that.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void rest(double seconds) {
	struct timespec t = {(time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9)};
	nanosleep(&t, NULL);
}

static void live(const struct sockaddr_in *to, char *program) {
	int s = socket(AF_INET, SOCK_STREAM, 0);
	if (s < 0 || connect(s, (const struct sockaddr *)to, sizeof *to) < 0)
		_exit(1);
	if (program)
		execl(program, program, "0.05", (char *)NULL);
	rest(0.05);
	_exit(0);
}

int main(int argc, char **argv) {
	if (argc < 5)
		return 2;
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	double rate = atof(argv[2]), began = now();
	int total = rate * atof(argv[3]);
	signal(SIGCHLD, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int n = 0; n < total; n++) {
		double wait = began + n / rate - now();
		if (wait > 0)
			rest(wait);
		pid_t pid = fork();
		if (pid == 0)
			live(&to, n % 10 ? NULL : argv[4 + n / 10 % (argc - 4)]);
		if (pid > 0)
			printf("%d\n", pid);
	}
	return 0;
}
