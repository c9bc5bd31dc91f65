/* mm/zone_usage.h - what of a zone is in memory, and who shares it: /proc/<pid>/smaps. */
#pragma once

#include <mm/mem_space.h>

#define PSS_SHIFT 12 /* proportional sizes have so many bits behind the point */

/* Bytes, but for the proportional sizes. Private: nobody else maps the page. */
struct zone_usage {
	uint64_t resident, referenced, anonymous;
	uint64_t shared_clean, shared_dirty, private_clean, private_dirty;
	uint64_t pss, pss_dirty, pss_anon, pss_file, pss_shmem; /* << PSS_SHIFT */
};

/* Adds the zone's pages to *usage. The space is locked for reading. */
void zone_usage_add(struct mem_space *space, const struct mem_zone *zone, struct zone_usage *usage);
