/* select/quic.h: finds the connection id in a QUIC datagram from a client, so that a connection can be assigned to a backend by its id instead of the
 * client's address. Then it keeps its backend when the client's address changes (RFC 9000 section 9).
 *
 * A client begins with a random id of at least 8 bytes (RFC 9000 section 7.2). From the server's first answer on, and after a Retry, it uses ids that the
 * server chose (sections 5.1, 7.2, 17.2.5). So this works only if the server puts the same bytes at the same place of every id that it issues, those of
 * NEW_CONNECTION_ID frames included: it copies them from the client's first id, for which they must lie in its first 8 bytes. The price: an observer can
 * correlate the ids of a connection, which section 5.1 forbids, and so link the addresses of a client that migrates.
 *
 * Only the packet at the start of the datagram is read: all packets of one datagram have the same id (section 12.2). The server must not offer
 * grease_quic_bit (RFC 9287), with which clients may clear the bit that tells QUIC from other protocols.
 *
 * Pure; any thread. */
#ifndef SELECT_QUIC_H
#define SELECT_QUIC_H

#include <stddef.h>
#include <stdint.h>

/* Returns a pointer to bytes [offset, offset + length) of the destination connection id in a datagram of `bytes` bytes. They all lie in the datagram.
 *
 * A long header (RFC 8999 section 5.1, RFC 9000 section 17.2) states the length of its id: at most 20 bytes in version 1, at most 255 in others. A short
 * header (RFC 9000 section 17.3) does not, so `length` bytes are taken from wherever the server's ids have them.
 *
 * Returns NULL if no such bytes exist: the datagram is too short, its id is too short for `offset` and `length`, it is a Version Negotiation packet, which
 * only servers send, or it is not QUIC: the fixed bit is clear in a short header or in a long header of version 1, or a version 1 id is too long. */
const uint8_t *quic_connection_id(const uint8_t *datagram, size_t bytes, uint32_t offset, uint32_t length);

#endif
