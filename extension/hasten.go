package main

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// urgent is the nice value (sched(7)) that hasten asks for.
const urgent = -10

// hasten has the kernel run this process before others that are due. At L1 whoever connects is known only to a sensor that looks
// before the socket is closed again, which of a one-shot process is after a tenth of a millisecond; how much the sensor takes is
// bounded by its budgets all the same. Where that is not allowed (CAP_SYS_NICE, or RLIMIT_NICE of setrlimit(2)) it stays as it is.
//
// To the kernel each thread has a nice value of its own, which those that it makes inherit: it is done when no thread has been made
// meanwhile by one that was not asked yet.
func hasten() {
	asked := make(map[string]bool)
	for more := true; more; {
		more = false
		threads, _ := os.ReadDir("/proc/self/task") // without /proc nobody is found at all
		for _, t := range threads {
			id, err := strconv.Atoi(t.Name())
			if asked[t.Name()] || err != nil {
				continue
			}
			asked[t.Name()], more = true, true
			_ = unix.Setpriority(unix.PRIO_PROCESS, id, urgent) // or it has ended
		}
	}
}
