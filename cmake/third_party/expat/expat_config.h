/* How expat is built. Each of its sources includes this file first. */
#pragma once

#define XML_GE 0 /* no general entities: RFC 6120 11.1 forbids them */
#undef XML_DTD
#define XML_CONTEXT_BYTES 0 /* no copy of the input for error messages */
#define XML_NS 1
#define HAVE_ARC4RANDOM_BUF 1 /* never reached: xmpp/xml_parser.cpp gives each parser its salt */
#define BYTEORDER 1234

#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

/* Every parser is made by XML_ParserCreate_MM with its session's arena, so the C library's allocator that expat names
 * as a default must never run: reaching it is our bug, and it traps. There is no environment, and expat's debug output
 * goes nowhere. */
static inline void* sallyport_trap_malloc(size_t size) { __builtin_trap(); }
static inline void* sallyport_trap_realloc(void* pointer, size_t size) { __builtin_trap(); }
static inline void sallyport_trap_free(void* pointer) { __builtin_trap(); }

#define malloc sallyport_trap_malloc
#define realloc sallyport_trap_realloc
#define free sallyport_trap_free
#define getenv(name) ((char*)0)
#define fprintf(...) ((void)0)
