#!/bin/sh
# Inside stos: run test programs one after the other and say what guest_boot.py reads:
#
#   @stos begin NAME
#   (the program's output)
#   @stos end NAME STATUS BEFORE AFTER
#
# BEFORE and AFTER are MemFree in KiB around the program. When memory did not come back, the
# program is run again, up to three times, and the last figures are reported: a table of the
# kernel's that has grown is paid once, a leak every time.
#
# A program that hangs is the host's business, which ends the boot when it hears nothing for long:
# somebody in here to watch it would be a process whose memory comes and goes as well.
#
# guest_runner.sh ROUNDS NAME...
#
# With more than one round all programs run as often, and after each round it says several times
#
#   @stos figure ROUND SAMPLE WHAT NUMBERS
#
# which are MemFree and each line of /proc/slabinfo: the last sample is for comparing rounds. The
# pages of whoever measures count as well, so that is a shell which has just been started each time
# and does the same. This one replaces itself: `round=N` in the environment is what it goes on with.

rounds=$1
shift

# Set `free` to MemFree, without starting a process, which would change it, and without what the
# kernel's allocators keep for reuse.
measure() {
	echo 3 >/proc/sys/vm/drop_caches
	echo 1 >/proc/sys/vm/drop_caches # what allocators keep for reuse is free, too
	while read -r key value _; do
		if [ "$key" = MemFree: ]; then
			free=$value
			return
		fi
	done </proc/meminfo
}

# What is freed late (a grace period, an orphan to reap) gets two seconds to come back.
settle() {
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		measure
		if [ "$free" -ge "$before" ]; then
			return 0
		fi
		sleep 0.1
	done
	return 1
}

run() {
	mkdir -p /tmp/work
	cd /tmp/work || exit 1
	"/tests/$1" </dev/null 2>&1
	status=$?
	cd /
	rm -rf /tmp/work
}

figures() {
	for sample in 1 2 3 4 5 6 7 8 9; do # what is freed late gets its time here too
		measure
		echo "@stos figure $1 $sample MemFree $free"
		while read -r name objects slots _; do
			echo "@stos figure $1 $sample $name $objects $slots"
		done </proc/slabinfo
		sleep 0.2
	done
}

round=${round:-1}
if [ "$round" -gt 1 ]; then
	figures $((round - 1))
fi
if [ "$round" -gt "$rounds" ]; then
	exit
fi

for name in "$@"; do
	echo "@stos begin $name"
	first=
	for _ in 1 2 3 4; do
		measure
		before=$free
		if [ -z "$first" ]; then
			run "$name"
			first=$status
		else
			run "$name" >/dev/null
		fi
		if settle; then
			break
		fi
	done
	if [ -e /dev/mem-check ]; then
		echo all >/dev/mem-check # a panic if a count of references is wrong
	fi
	echo
	echo "@stos end $name $first $before $free"
done
if [ "$rounds" -gt 1 ]; then
	round=$((round + 1))
	export round
	exec sh "$0" "$rounds" "$@"
fi
