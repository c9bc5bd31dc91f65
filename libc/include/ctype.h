/* ctype.h - kinds of bytes, in the C locale (C17 7.4). */
#pragma once

static inline int isdigit(int byte)
{
	return byte >= '0' && byte <= '9';
}

static inline int islower(int byte)
{
	return byte >= 'a' && byte <= 'z';
}

static inline int isupper(int byte)
{
	return byte >= 'A' && byte <= 'Z';
}

static inline int isalpha(int byte)
{
	return islower(byte) || isupper(byte);
}

static inline int isalnum(int byte)
{
	return isalpha(byte) || isdigit(byte);
}

static inline int isspace(int byte)
{
	return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static inline int isprint(int byte)
{
	return byte >= ' ' && byte <= '~';
}

static inline int tolower(int byte)
{
	return isupper(byte) ? byte - 'A' + 'a' : byte;
}

static inline int toupper(int byte)
{
	return islower(byte) ? byte - 'a' + 'A' : byte;
}
