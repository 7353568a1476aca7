/* udp_serve.h: `penstock-bench serve udp`: returns every datagram to its sender. Main thread. */
#ifndef LOADGEN_UDP_SERVE_H
#define LOADGEN_UDP_SERVE_H

/* Returns the exit status. */
int udp_serve_main(char **argv);

#endif
