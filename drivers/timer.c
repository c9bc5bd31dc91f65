/*
 * drivers/timer.c - how fast the clocks run, and what time it is (kernel/time.h).
 *
 * The time stamp counter and the local APIC's timer have no known frequency; both are measured
 * against channel 2 of the 8254 interval timer, whose output can be polled (port 0x61) without
 * an interrupt. A measurement is only as good as the moments at which it began and ended are
 * known: each is an interval of the time stamp counter, and of a few runs the one with the
 * smallest uncertainty wins. When everything runs in virtual time the first run is exact enough,
 * and the result is the same at each boot.
 *
 * time_monotonic_ns is one multiplication: ns = cycles * scale / 2^32.
 *
 * Locks: none; set once at boot, but the wall clock's offset, which is atomic.
 */
#include <drivers/lapic.h>
#include <drivers/rtc.h>
#include <kernel/base/cpu.h>
#include <kernel/base/io.h>
#include <kernel/base/log.h>
#include <kernel/time.h>

/* Intel 8254 data sheet. */
#define PIT_HZ 1193182u
#define PIT_CHANNEL2 0x42
#define PIT_COMMAND 0x43
#define PIT_CHANNEL2_ONE_SHOT 0xb0 /* channel 2, low then high byte, mode 0, binary */
#define PIT_CONTROL 0x61	   /* NMI status and control register */
#define PIT_CONTROL_GATE2 0x01
#define PIT_CONTROL_SPEAKER 0x02
#define PIT_CONTROL_OUTPUT2 0x20

#define CALIBRATION_COUNT (PIT_HZ / 100) /* ten milliseconds */
#define CALIBRATION_RUNS 5
#define CALIBRATION_GOOD 2000 /* uncertain by less than one part in so many: no more runs */
#define CALIBRATION_POLLS_MAX 1000000u
#define FALLBACK_TSC_HZ 1000000000ull
#define FALLBACK_APIC_HZ (FALLBACK_TSC_HZ / 16)

/* A point in time, known to lie between two readings of the time stamp counter. */
struct moment {
	uint64_t earliest, latest; /* cycles */
	uint32_t apic_count;	   /* counts down */
};

struct calibration {
	uint64_t cycles, apic_ticks; /* in CALIBRATION_COUNT ticks of the interval timer */
	uint64_t uncertainty;	     /* cycles */
};

static uint64_t time_boot_tsc;		     /* [I] */
static uint64_t time_frequency;		     /* [I] of the time stamp counter, Hz */
static uint64_t time_scale;		     /* [I] nanoseconds per cycle, 32 binary places */
static _Atomic uint64_t time_real_offset_ns; /* wall clock minus monotonic */

static uint64_t moment_middle(const struct moment *moment)
{
	return moment->earliest + (moment->latest - moment->earliest) / 2;
}

/* Writing the count's high byte starts it. */
static void pit_start(struct moment *start)
{
	uint8_t control = io_in8(PIT_CONTROL);

	control = (uint8_t)((control & ~PIT_CONTROL_SPEAKER) | PIT_CONTROL_GATE2);
	io_out8(PIT_CONTROL, control);
	io_out8(PIT_COMMAND, PIT_CHANNEL2_ONE_SHOT);
	io_out8(PIT_CHANNEL2, CALIBRATION_COUNT & 0xff);
	start->earliest = cpu_tsc();
	io_out8(PIT_CHANNEL2, CALIBRATION_COUNT >> 8);
	start->apic_count = lapic_timer_count();
	start->latest = cpu_tsc();
}

/* The output rises at the end of the count: after the last poll that saw it low. */
static bool pit_wait(struct moment *end)
{
	end->latest = cpu_tsc();
	for (unsigned polls = 0; polls < CALIBRATION_POLLS_MAX; polls++) {
		bool done;

		end->earliest = end->latest;
		done = io_in8(PIT_CONTROL) & PIT_CONTROL_OUTPUT2;
		end->apic_count = lapic_timer_count();
		end->latest = cpu_tsc();
		if (done)
			return true;
	}
	return false;
}

static bool calibration_run(struct calibration *run)
{
	struct moment start, end;

	lapic_timer_count_freely();
	pit_start(&start);
	if (!pit_wait(&end))
		return false;
	run->cycles = moment_middle(&end) - moment_middle(&start);
	run->apic_ticks = start.apic_count - end.apic_count;
	run->uncertainty = end.latest - end.earliest + start.latest - start.earliest;
	return true;
}

/* The best of a few runs; false when the interval timer never answers. */
static bool calibrate(struct calibration *best)
{
	*best = (struct calibration){.uncertainty = UINT64_MAX};
	for (unsigned i = 0; i < CALIBRATION_RUNS; i++) {
		struct calibration run;

		if (!calibration_run(&run))
			return false;
		if (run.uncertainty < best->uncertainty)
			*best = run;
		if (best->uncertainty < best->cycles / CALIBRATION_GOOD)
			break;
	}
	return best->cycles && best->apic_ticks;
}

void time_init(void)
{
	uint64_t tsc_hz = FALLBACK_TSC_HZ, apic_hz = FALLBACK_APIC_HZ;
	struct calibration best;

	if (calibrate(&best)) {
		tsc_hz = best.cycles * PIT_HZ / CALIBRATION_COUNT;
		apic_hz = best.apic_ticks * PIT_HZ / CALIBRATION_COUNT;
	} else {
		log_error("timer: the interval timer does not count, the clock's speed is a guess");
	}
	lapic_timer_set_frequency(apic_hz);
	time_frequency = tsc_hz;
	time_scale = (NS_PER_SEC << 32) / tsc_hz;
	time_boot_tsc = cpu_tsc();
	time_set_real_ns(rtc_read_seconds() * NS_PER_SEC);
	log_info("timer: time stamp counter %lu kHz, APIC timer %lu kHz",
		 (unsigned long)(tsc_hz / 1000), (unsigned long)(apic_hz / 1000));
}

uint64_t time_monotonic_ns(void)
{
	return (uint64_t)((unsigned __int128)(cpu_tsc() - time_boot_tsc) * time_scale >> 32);
}

uint64_t time_tsc_hz(void)
{
	return time_frequency;
}

uint64_t time_real_ns(void)
{
	return time_monotonic_ns() +
	       atomic_load_explicit(&time_real_offset_ns, memory_order_relaxed);
}

void time_set_real_ns(uint64_t ns)
{
	atomic_store_explicit(&time_real_offset_ns, ns - time_monotonic_ns(), memory_order_relaxed);
}
