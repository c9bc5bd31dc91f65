/* dirent.h - reading directories. */
#pragma once

#include <linux/stat.h>
#include <stdint.h>
#include <sys/types.h>

/* struct linux_dirent64 of getdents64(2): records of d_reclen bytes, names of any length. */
struct dirent {
	uint64_t d_ino;
	int64_t d_off;
	uint16_t d_reclen;
	uint8_t d_type;
	char d_name[];
};

/* d_type is the file type of st_mode, moved down; 0 is "not known". */
#define IFTODT(mode) (((mode)&S_IFMT) >> 12)
#define DT_UNKNOWN 0
#define DT_FIFO IFTODT(S_IFIFO)
#define DT_CHR IFTODT(S_IFCHR)
#define DT_DIR IFTODT(S_IFDIR)
#define DT_BLK IFTODT(S_IFBLK)
#define DT_REG IFTODT(S_IFREG)
#define DT_LNK IFTODT(S_IFLNK)

typedef struct directory_stream DIR;

DIR *opendir(const char *path);
/* The next entry, "." and ".." too, valid until the next call; NULL at the end, or with errno
   set, which is untouched at the end. */
struct dirent *readdir(DIR *directory);
int closedir(DIR *directory);
