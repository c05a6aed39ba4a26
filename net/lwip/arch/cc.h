/* lwIP's view of the compiler and of us. C and C++.
 *
 * lwIP's own assertions are ours: they can only fire on a bug, never on input (the frame filter and the tests see to
 * that), and they end like every SALLYPORT_ASSERT. */
#ifndef SALLYPORT_NET_LWIP_ARCH_CC_H
#define SALLYPORT_NET_LWIP_ARCH_CC_H

#include <stdint.h>
#include <sys/types.h> /* ssize_t */

#ifdef __cplusplus
extern "C" {
#endif

/* stack.cpp */
__attribute__((noreturn)) void sallyport_lwip_assertion_failed(const char* message, const char* file, int line);
uint32_t sallyport_lwip_random(void);

#ifdef __cplusplus
}
#endif

#define LWIP_PLATFORM_ASSERT(message) sallyport_lwip_assertion_failed(message, __FILE_NAME__, __LINE__)
#define LWIP_PLATFORM_DIAG(arguments)
#define LWIP_RAND() sallyport_lwip_random()

/* The board "host" includes the system's <arpa/inet.h>. */
#define LWIP_DONT_PROVIDE_BYTEORDER_FUNCTIONS 1
#define LWIP_NO_UNISTD_H 1

#endif
