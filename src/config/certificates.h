/* config/certificates.h: checks a file of certificates. Within src/config; any thread. */
#ifndef CONFIG_CERTIFICATES_H
#define CONFIG_CERTIFICATES_H

/* Reads the file, which must be a regular one, and checks that it has certificates in PEM (RFC 7468) and that each has the shape of one: it is base64 of one
 * DER sequence of the right length. Signatures and dates are not checked. Returns NULL, or a text that says what is wrong, which is valid until the next call
 * of strerror(3). */
const char *config_certificates_check(const char *path);

#endif
