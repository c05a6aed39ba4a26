/* The pools behind mem_malloc(), smallest first (lwIP tries the next larger one when a pool is empty). Included several
 * times by lwIP, on purpose without a guard. */
LWIP_MALLOC_MEMPOOL_START
LWIP_MALLOC_MEMPOOL(SALLYPORT_CONTROL_SMALL_BLOCKS, SALLYPORT_CONTROL_BLOCK_BYTES)
LWIP_MALLOC_MEMPOOL(SALLYPORT_SEND_BLOCKS, SALLYPORT_SEND_BLOCK_BYTES)
LWIP_MALLOC_MEMPOOL_END
