/* What Mbed TLS is given instead of the C library (MBEDTLS_PLATFORM_*_MACRO in mbedtls_config.h). Defined in
 * net/tls/engine.cpp; included by the library's own C files. */
#pragma once

#include <stddef.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Zeroed memory of the arena in force; NULL when it has no room. */
void* sallyport_tls_calloc(size_t count, size_t size);
void sallyport_tls_free(void* pointer);
/* Seconds since 1970-01-01 UTC of the appliance's wall clock. */
long long sallyport_tls_time(long long* time);

#ifdef __cplusplus
}
#endif
