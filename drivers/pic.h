/* drivers/pic.h - the two old 8259 interrupt controllers, which only have to be quiet. */
#pragma once

#define PIC_LINES 16

/* All lines masked, and what comes all the same at `vector` to `vector` + 15. Once. */
void pic_silence(unsigned vector);
