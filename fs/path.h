/*
 * fs/path.h - from a string to a place: path_resolution(7).
 *
 * All functions here sleep and need no lock. `dirfd` is a descriptor or AT_FDCWD; `name` is
 * a kernel string (path_copy_from_user makes one of the user's). Errors: ENOENT, ENOTDIR, EACCES,
 * ELOOP, ENAMETOOLONG, EBADF (dirfd), ENOMEM, what lookup returns.
 */
#pragma once

#include <fs/dentry.h>
#include <fs/inode.h>

#define PATH_LINKS_MAX 40 /* links followed in one walk; more are ELOOP: path_resolution(7) */

#define LOOKUP_FOLLOW 1u    /* the last component too, if it is a link */
#define LOOKUP_DIRECTORY 2u /* ENOTDIR if it is anything else */
#define LOOKUP_EMPTY 4u     /* "" is dirfd itself (AT_EMPTY_PATH); else ENOENT */
#define LOOKUP_REAL_IDS 8u  /* search rights by the real ids (access(2)), not the effective */

void path_get(const struct path *path);
void path_put(const struct path *path); /* NULL parts are fine */

/* The place, with references. */
must_check int path_lookup(int dirfd, const char *name, unsigned flags, struct path *path);

/* The last component, where it is to be made, removed or renamed. */
enum last_kind { LAST_NAME, LAST_ROOT, LAST_DOT, LAST_DOTDOT };
struct last_name {
	enum last_kind kind;
	struct name name;    /* LAST_NAME: points into the string that was walked */
	bool trailing_slash; /* it must be a directory */
};

/*
 * A walk under way, for callers that look at the last component themselves (open with O_CREAT).
 * walk_begin, walk_to_parent, then walk_follow for each link found there, walk_end.
 */
struct walk {
	struct path at;      /* references; after walk_to_parent: where the last component is */
	struct path root;    /* the process's, references */
	const char *rest;    /* still to be walked */
	char *buffer;        /* owns `rest` once a link was followed */
	unsigned links;      /* followed so far */
	uint32_t uid, gid;   /* whose rights count */
};

must_check int walk_begin(struct walk *walk, int dirfd, const char *name, unsigned flags);
/* 0 with the directory in walk->at and the last component in *last. */
must_check int walk_to_parent(struct walk *walk, struct last_name *last);
/*
 * `link` (in directory walk->at, mount crossed) is a symbolic link: goes on with its text; call
 * walk_to_parent again. Returns 1 when it led straight to a place, which is walk->at now.
 */
must_check int walk_follow(struct walk *walk, struct dentry *link, bool trailing_slash);
void walk_end(struct walk *walk);

/*
 * The name from the calling process's root (a kernel task's: the first root) into buf: returns
 * buf. "(unreachable)" is put in front where that root does not lead there, " (deleted)" behind
 * unlinked names; NULL when it does not fit.
 */
const char *path_name(const struct path *path, char *buf, size_t size);

/* The user's string, kmalloc'ed, for kfree: 0, -EFAULT, -ENAMETOOLONG (PATH_MAX 4096), -ENOMEM. */
must_check int path_copy_from_user(uintptr_t user, char **name);
/* path_lookup of the user's string. */
must_check int path_lookup_user(int dirfd, uintptr_t user, unsigned flags, struct path *path);
/*
 * The same for the *at calls: at_flags AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH; others are the
 * caller's to check.
 */
must_check int path_lookup_at(int dirfd, uintptr_t user, int at_flags, struct path *path);
