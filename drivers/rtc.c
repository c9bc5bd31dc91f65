/*
 * drivers/rtc.c - the MC146818 real-time clock in the CMOS memory (Motorola MC146818A data sheet).
 *
 * Way in: time_init, with interrupts off, before other processors run: no lock for the index
 * and data ports. The registers change under the reader, so they are read until two readings
 * in a row agree and no update was under way.
 *
 * The century is in no register of the chip; PCs keep it at 0x32 of the CMOS memory. A value
 * there that is no century is ignored, and the years 1970 to 2069 are assumed.
 */
#include <drivers/rtc.h>
#include <kernel/base/io.h>
#include <kernel/base/log.h>

#define CMOS_INDEX 0x70
#define CMOS_DATA 0x71
#define CMOS_NMI_DISABLE 0x80 /* in the index: keep non-maskable interrupts off meanwhile */

enum rtc_register {
	RTC_SECONDS = 0x00,
	RTC_MINUTES = 0x02,
	RTC_HOURS = 0x04,
	RTC_DAY = 0x07,
	RTC_MONTH = 0x08,
	RTC_YEAR = 0x09,
	RTC_STATUS_A = 0x0a,
	RTC_STATUS_B = 0x0b,
	RTC_CENTURY = 0x32,
};

#define RTC_A_UPDATING 0x80
#define RTC_B_24_HOURS 0x02
#define RTC_B_BINARY 0x04
#define RTC_HOURS_PM 0x80

#define RTC_POLLS_MAX 10000u /* an update takes two milliseconds, a read about a microsecond */
#define RTC_TRIES_MAX 10

struct rtc_reading {
	uint8_t second, minute, hour, day, month, year, century, mode;
};

static uint8_t rtc_read(enum rtc_register reg)
{
	io_out8(CMOS_INDEX, (uint8_t)(CMOS_NMI_DISABLE | reg));
	return io_in8(CMOS_DATA);
}

static struct rtc_reading rtc_read_all(void)
{
	for (unsigned polls = 0; polls < RTC_POLLS_MAX; polls++)
		if (!(rtc_read(RTC_STATUS_A) & RTC_A_UPDATING))
			break;
	return (struct rtc_reading){
	    .second = rtc_read(RTC_SECONDS),
	    .minute = rtc_read(RTC_MINUTES),
	    .hour = rtc_read(RTC_HOURS),
	    .day = rtc_read(RTC_DAY),
	    .month = rtc_read(RTC_MONTH),
	    .year = rtc_read(RTC_YEAR),
	    .century = rtc_read(RTC_CENTURY),
	    .mode = rtc_read(RTC_STATUS_B),
	};
}

static bool rtc_same(const struct rtc_reading *a, const struct rtc_reading *b)
{
	return a->second == b->second && a->minute == b->minute && a->hour == b->hour &&
	       a->day == b->day && a->month == b->month && a->year == b->year &&
	       a->century == b->century;
}

static unsigned rtc_number(const struct rtc_reading *reading, uint8_t value)
{
	return reading->mode & RTC_B_BINARY ? value : (value >> 4) * 10u + (value & 0xf);
}

static unsigned rtc_hour(const struct rtc_reading *reading)
{
	unsigned hour = rtc_number(reading, reading->hour & ~RTC_HOURS_PM);

	if (reading->mode & RTC_B_24_HOURS)
		return hour;
	return hour % 12 + (reading->hour & RTC_HOURS_PM ? 12 : 0);
}

static unsigned rtc_year(const struct rtc_reading *reading)
{
	unsigned year = rtc_number(reading, reading->year);
	unsigned century = rtc_number(reading, reading->century);

	if (century >= 19 && century <= 29 && century * 100 + year >= 1970)
		return century * 100 + year;
	return year < 70 ? 2000 + year : 1900 + year;
}

/*
 * Days are counted from March, so that the leap day is a year's last. A leap year for each four
 * years but centuries, and for each fourth century.
 */
uint64_t rtc_unix_seconds(unsigned year, unsigned month, unsigned day, unsigned hour,
			  unsigned minute, unsigned second)
{
	unsigned march_year = month > 2 ? year : year - 1;
	unsigned march_month = month > 2 ? month - 3 : month + 9;
	uint64_t leap_days = march_year / 4 - march_year / 100 + march_year / 400;
	uint64_t days = march_year * 365ull + leap_days + (march_month * 153 + 2) / 5 + day - 1;

	days -= 719468; /* 1 March of year 0 to 1 January 1970 */
	return ((days * 24 + hour) * 60 + minute) * 60 + second;
}

uint64_t rtc_read_seconds(void)
{
	struct rtc_reading last = rtc_read_all(), reading;
	unsigned month, day;

	for (unsigned tries = 0; tries < RTC_TRIES_MAX; tries++) {
		reading = rtc_read_all();
		if (rtc_same(&last, &reading))
			break;
		last = reading;
	}
	io_out8(CMOS_INDEX, RTC_STATUS_B); /* non-maskable interrupts on again */
	month = rtc_number(&last, last.month);
	day = rtc_number(&last, last.day);
	if (month < 1 || month > 12 || day < 1 || day > 31) {
		log_warning("rtc: the clock shows no date");
		return 0;
	}
	return rtc_unix_seconds(rtc_year(&last), month, day, rtc_hour(&last),
				rtc_number(&last, last.minute), rtc_number(&last, last.second));
}
