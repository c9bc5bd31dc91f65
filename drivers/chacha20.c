/* drivers/chacha20.c - the ChaCha20 block function, RFC 8439, section 2.3. Called by random.c. */
#include <drivers/chacha20.h>

#include <string.h>

#define STATE_WORDS 16
#define DOUBLE_ROUNDS 10

static uint32_t rotate_left(uint32_t x, unsigned bits)
{
	return x << bits | x >> (32 - bits);
}

/* RFC 8439, section 2.1. Inlined, the indices are constants. */
static inline __attribute__((always_inline)) void
quarter_round(uint32_t state[STATE_WORDS], unsigned a, unsigned b, unsigned c, unsigned d)
{
	state[a] += state[b];
	state[d] = rotate_left(state[d] ^ state[a], 16);
	state[c] += state[d];
	state[b] = rotate_left(state[b] ^ state[c], 12);
	state[a] += state[b];
	state[d] = rotate_left(state[d] ^ state[a], 8);
	state[c] += state[d];
	state[b] = rotate_left(state[b] ^ state[c], 7);
}

static void double_round(uint32_t state[STATE_WORDS])
{
	quarter_round(state, 0, 4, 8, 12);
	quarter_round(state, 1, 5, 9, 13);
	quarter_round(state, 2, 6, 10, 14);
	quarter_round(state, 3, 7, 11, 15);
	quarter_round(state, 0, 5, 10, 15);
	quarter_round(state, 1, 6, 11, 12);
	quarter_round(state, 2, 7, 8, 13);
	quarter_round(state, 3, 4, 9, 14);
}

static void store_little_endian(uint8_t bytes[4], uint32_t word)
{
	bytes[0] = (uint8_t)word;
	bytes[1] = (uint8_t)(word >> 8);
	bytes[2] = (uint8_t)(word >> 16);
	bytes[3] = (uint8_t)(word >> 24);
}

void chacha20_block(const uint32_t key[CHACHA20_KEY_WORDS], uint32_t counter,
		    const uint32_t nonce[3], uint8_t block[CHACHA20_BLOCK_SIZE])
{
	/* "expand 32-byte k" */
	uint32_t start[STATE_WORDS] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
	uint32_t state[STATE_WORDS];

	memcpy(&start[4], key, CHACHA20_KEY_WORDS * sizeof(uint32_t));
	start[12] = counter;
	memcpy(&start[13], nonce, 3 * sizeof(uint32_t));
	memcpy(state, start, sizeof(state));
	for (unsigned round = 0; round < DOUBLE_ROUNDS; round++)
		double_round(state);
	for (unsigned i = 0; i < STATE_WORDS; i++)
		store_little_endian(&block[4 * i], state[i] + start[i]);
}
