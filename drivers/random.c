/*
 * drivers/random.c - a generator of unpredictable bytes.
 *
 * Fast key erasure: the state is one ChaCha20 key. Each request makes key stream from it, of
 * which the first 32 bytes become the next key at once, so that bytes given out cannot be
 * computed again from a later state. The other 32 are given out, to several small requests in turn,
 * and forgotten as they go. A longer request takes all 32 as a key of its own and works outside the
 * lock.
 *
 * The key is seeded at the first block, and stirred again every STIR_INTERVAL blocks, from
 * RDRAND where the processor has it, and from the low bits of the time stamp counter around
 * work whose duration varies (caches, interrupts, the emulator's host).
 *
 * Locks: generator.lock, interrupts off (random_bytes is for any context).
 * Tests: tests/host/test_chacha20.c; guest tests of getrandom.
 */
#include <drivers/chacha20.h>
#include <drivers/random.h>
#include <kernel/base/errno.h>
#include <kernel/base/lock.h>
#include <kernel/task.h>
#include <linux/random.h>
#include <string.h>

#define KEY_BYTES (CHACHA20_KEY_WORDS * sizeof(uint32_t))
#define STIR_INTERVAL 256 /* blocks */
#define JITTER_SAMPLES 64
#define RDRAND_TRIES 10 /* SDM vol. 1, 7.3.17.1 */
#define REQUEST_MAX 0x7ffff000ul /* as read(2) */

static struct {
	struct spinlock lock;
	uint32_t key[CHACHA20_KEY_WORDS]; /* [lock] */
	uint64_t blocks;                  /* made so far [lock] */
	uint8_t ready[KEY_BYTES];         /* its last `left` bytes may be given out [lock] */
	size_t left;                      /* [lock] */
} generator = {.lock = SPINLOCK_INIT(RANK_DRIVER)};

static const uint32_t no_nonce[3];

static bool rdrand(uint64_t *value)
{
	for (int i = 0; i < RDRAND_TRIES; i++) {
		bool ok;

		__asm__ volatile("rdrand %0" : "=r"(*value), "=@ccc"(ok));
		if (ok)
			return true;
	}
	return false;
}

/*
 * One way: the new key is key stream of (old key xor input). What was ready goes. generator.lock is
 * held.
 */
static void stir_words(const uint32_t words[CHACHA20_KEY_WORDS])
{
	uint8_t block[CHACHA20_BLOCK_SIZE];

	for (unsigned i = 0; i < CHACHA20_KEY_WORDS; i++)
		generator.key[i] ^= words[i];
	chacha20_block(generator.key, 0, no_nonce, block);
	memcpy(generator.key, block, KEY_BYTES);
	generator.left = 0;
}

/* Each sample's stirring is itself the work whose duration the next one measures. */
static void stir_jitter(unsigned samples)
{
	for (unsigned i = 0; i < samples; i++) {
		uint64_t now = cpu_tsc();
		uint32_t words[CHACHA20_KEY_WORDS] = {(uint32_t)now, (uint32_t)(now >> 32), i};

		stir_words(words);
	}
}

static void stir_hardware(void)
{
	uint64_t values[KEY_BYTES / sizeof(uint64_t)] = {0};
	uint32_t words[CHACHA20_KEY_WORDS];

	if (!cpu_features.rdrand)
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(values); i++)
		if (!rdrand(&values[i]))
			break;
	memcpy(words, values, sizeof(words));
	stir_words(words);
}

/* One block of which the first half replaces the key; the second half may be given out. */
static void make_ready(void)
{
	uint8_t block[CHACHA20_BLOCK_SIZE];

	if (generator.blocks % STIR_INTERVAL == 0) {
		stir_hardware();
		stir_jitter(generator.blocks == 0 ? JITTER_SAMPLES : 1);
	}
	generator.blocks++;
	chacha20_block(generator.key, 0, no_nonce, block);
	memcpy(generator.key, block, KEY_BYTES);
	memcpy(generator.ready, block + KEY_BYTES, KEY_BYTES);
	generator.left = KEY_BYTES;
}

/* At most KEY_BYTES. */
static void take_ready(void *bytes, size_t size)
{
	uint64_t flags = spin_lock_irq(&generator.lock);
	uint8_t *from;

	if (generator.left < size)
		make_ready();
	from = generator.ready + KEY_BYTES - generator.left;
	memcpy(bytes, from, size);
	memset(from, 0, size);
	generator.left -= size;
	spin_unlock_irq(&generator.lock, flags);
}

void random_bytes(void *buf, size_t size)
{
	uint32_t key[CHACHA20_KEY_WORDS];
	uint8_t block[CHACHA20_BLOCK_SIZE];
	uint8_t *dst = buf;

	if (size <= KEY_BYTES) {
		take_ready(dst, size);
		return;
	}
	take_ready(key, sizeof(key));
	for (uint32_t counter = 0; size > 0; counter++) {
		size_t part = MIN(size, sizeof(block));

		chacha20_block(key, counter, no_nonce, block);
		memcpy(dst, block, part);
		dst += part;
		size -= part;
	}
}

void random_stir(const void *bytes, size_t size)
{
	const uint8_t *src = bytes;

	while (size > 0) {
		uint32_t words[CHACHA20_KEY_WORDS] = {0};
		size_t part = MIN(size, sizeof(words));
		uint64_t flags;

		memcpy(words, src, part);
		flags = spin_lock_irq(&generator.lock);
		stir_words(words);
		spin_unlock_irq(&generator.lock, flags);
		src += part;
		size -= part;
	}
}

ssize_t random_read(struct io_buffer *io)
{
	uint8_t buf[256];
	ssize_t done = 0;

	while (io->left > 0) {
		size_t part = MIN(io->left, sizeof(buf));
		size_t copied;

		random_bytes(buf, part);
		copied = io_put(io, buf, part);
		done += (ssize_t)copied;
		if (copied < part)
			return done > 0 ? done : -EFAULT;
		/* getrandom(2): requests of up to 256 bytes are never cut short. */
		if (done % PAGE_SIZE == 0 && wait_interrupted(WAIT_INTERRUPTIBLE))
			break;
	}
	return done;
}

long sys_getrandom(uintptr_t buf, size_t size, unsigned flags)
{
	struct io_buffer io = io_user(buf, MIN(size, REQUEST_MAX));

	if (flags & ~(unsigned)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	if ((flags & GRND_RANDOM) && (flags & GRND_INSECURE))
		return -EINVAL;
	return random_read(&io);
}
