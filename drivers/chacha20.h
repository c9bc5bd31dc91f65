/*
 * drivers/chacha20.h - the ChaCha20 block function, RFC 8439, section 2.3.
 *
 * Pure; tests/host/test_chacha20.c has the RFC's vectors.
 */
#pragma once

#include <kernel/base/types.h>

#define CHACHA20_KEY_WORDS 8
#define CHACHA20_BLOCK_SIZE 64 /* bytes */

/* The key stream's block `counter` for this key and nonce. */
void chacha20_block(const uint32_t key[CHACHA20_KEY_WORDS], uint32_t counter,
		    const uint32_t nonce[3], uint8_t block[CHACHA20_BLOCK_SIZE]);
