/* test_config: wrong configurations and their exact errors. Each row is a test, named after the situation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/load.h"

/* The listener and the pool that complete the text of a case. GOOD is a complete configuration. */
#define LISTENER "[listener l]\nbind=127.0.0.1:1\npool=p\n"
#define BACKEND "backend=b 127.0.0.1:2\n"
#define POOL "[pool p]\n" BACKEND
#define GOOD LISTENER POOL
#define X49 "pool 12345678901234567890123456789012345678901234"
#define X100 "1234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"

struct test_case {
    const char *situation, *text;
    const char *errors; /* each "LINE: message" or, for the whole file, "message", and a newline */
    size_t bytes;       /* 0: strlen(text) */
};

static struct test_case cases[] = {
    /* shapes */
    {"complete", GOOD, ""},
    {"empty_file", "", "is empty\n"},
    {"only_comments", "; a\n# b\n\n", "no [listener NAME] section: there is nothing to do\n"},
    {"no_listener_that_was_understood", "[pool p]\nbackend=b 127.0.0.1:2\nlistener l\nbind=127.0.0.1:1\n",
     "3: not a [section], a \"key = value\" or a comment (which begins with \";\")\n4: key \"bind\" belongs in [listener NAME], not in [pool]\n"},
    {"no_listener_where_an_include_is_refused", "[global]\ninclude=l.ini\n" POOL, "2: include is not possible in a text that is not a file\n"},
    {"no_listener", POOL, "no [listener NAME] section: there is nothing to do\n"},
    {"crlf_line_ends", "[listener l]\r\nbind=127.0.0.1:1\r\npool=p\r\n[pool p]\r\nbackend=b 127.0.0.1:2\r\n", ""},
    {"byte_order_mark", "\xef\xbb\xbf" GOOD, ""},
    {"no_newline_at_the_end", GOOD "rise=3", ""},
    {"error_on_a_last_line_without_newline", GOOD "rise=x", "6: rise = x: not a whole number\n"},
    {"indented_keys_are_keys", "  [listener l]\n\tbind=127.0.0.1:1\n  pool = p\n [pool p]\n  " BACKEND "   rise=0\n",
     "6: rise = 0: not in the range: 1 to 100\n"},
    {"nul_byte", "[global]\nlog\0=\nnonsense\n", "2: a NUL byte: this is not a text file\n", 23},
    {"control_character", GOOD "check_body=a\x1b[2J\n", "6: control character 0x1b in the line\n"},
    {"lone_carriage_return", GOOD "rise=1\rfall=1\n", "6: control character 0x0d in the line\n"},
    {"nonsense_line", GOOD "nonsense\n", "6: not a [section], a \"key = value\" or a comment (which begins with \";\")\n"},
    {"equals_only_in_a_comment", GOOD "rise ; = 3\n", "6: not a [section], a \"key = value\" or a comment (which begins with \";\")\n"},
    {"colon_for_equals", GOOD "rise : 3\n", "6: \":\" after \"rise\"; write \"key = value\"\n"},
    {"no_key", GOOD "= 3\n", "6: no key before the \"=\"\n"},
    {"no_value", GOOD "rise =\nfall = ; 3\n", "6: no value after the \"=\"\n7: no value after the \"=\"\n"},
    {"key_before_any_section", "rise=1\n" GOOD, "1: key \"rise\" before the first [section]\n"},
    {"key_too_long", GOOD X100 "1=1\nrise=0\n", "6: key of 101 bytes; at most 100 are allowed\n7: rise = 0: not in the range: 1 to 100\n"},
    {"longest_key", GOOD X100 "=1\n", "6: unknown key \"" X100 "\" (penstock check --help lists all keys)\n"},
    {"section_with_a_long_comment", GOOD "[pool q] ; " X100 X100 "\n" BACKEND, "6: warning: pool \"q\" is not used by any listener\n"},
    {"control_character_in_a_comment", GOOD "rise=1 ; \x1b[2J\n", "6: control character 0x1b in the line\n"},
    {"terminal_control_of_eight_bits", GOOD "rise=\x9b" "2J\xc2\x9b" "1m\xff\n", "6: rise = ?2J??1m?: not a whole number\n"},
    {"text_beyond_ascii", GOOD "rise=\xc3\xa9\xe2\x82\xac\n", "6: rise = \xc3\xa9\xe2\x82\xac: not a whole number\n"},
    {"long_comment", ";" X100 X100 X100 "\n" GOOD, ""},
    /* escapes and variables */
    {"unknown_escape", GOOD "check_host=a\\n\n", "6: \"\\n\" is not an escape; there are \\; \\# \\$ \\\" \\' \\` \\= \\/ \\{ \\~ \\\\, and \\s and \\t for a blank and a tab\n"},
    {"backslash_at_the_end", GOOD "check_host=a\\\n", "6: a \"\\\" at the end: lines are not continued; leave it out, or write \\\\ if it is meant\n"},
    {"backslash_before_a_comment", GOOD "check_host=a \\ ; b\n", "6: a \"\\\" at the end: lines are not continued; leave it out, or write \\\\ if it is meant\n"},
    {"backslashes_at_the_end", GOOD "check=http\ncheck_body=a\\\\\n", ""},
    {"variable_not_set", GOOD "rise=${PENSTOCK_TEST_UNSET}\n", "6: ${PENSTOCK_TEST_UNSET} is not set in the environment\n"},
    {"variable_not_closed", GOOD "rise=${HOME\n", "6: \"${\" without NAME and \"}\" (write \\${ for the characters themselves)\n"},
    {"variable_without_name", GOOD "rise=${}\n", "6: \"${\" without NAME and \"}\" (write \\${ for the characters themselves)\n"},
    {"variable_with_a_default", GOOD "rise=${PENSTOCK_TEST_UNSET:-3}\nfall=${PENSTOCK_TEST_UNSET-3}\n",
     "6: defaults are not supported: write ${PENSTOCK_TEST_UNSET} and set PENSTOCK_TEST_UNSET\n"
     "7: defaults are not supported: write ${PENSTOCK_TEST_UNSET} and set PENSTOCK_TEST_UNSET\n"},
    {"empty_variable", GOOD "rise=${PENSTOCK_TEST_EMPTY}\n", "6: the value is empty: ${PENSTOCK_TEST_EMPTY} is set to nothing\n"},
    {"variables_of_more_than_64_KiB", GOOD "check_host=${PENSTOCK_TEST_32_KIB}${PENSTOCK_TEST_32_KIB}x\n", "6: the value is longer than 65536 bytes\n"},
    {"variable_with_a_newline", GOOD "check_host=${PENSTOCK_TEST_NEWLINE}\n",
     "6: ${PENSTOCK_TEST_NEWLINE} holds the control character 0x0a\n"},
    {"include_in_a_text", "[global]\ninclude=/etc/passwd\n" GOOD, "2: include is not possible in a text that is not a file\n"},
    /* sections */
    {"longest_section_name", GOOD "[" X49 "]\n" BACKEND,
     "6: warning: pool \"12345678901234567890123456789012345678901234\" is not used by any listener\n"},
    {"section_name_too_long", GOOD "[" X49 "5]\nrise=x\n", "6: section name of 50 bytes; at most 49 fit between the brackets\n"},
    {"misspelt_section", GOOD "[pol q]\nrise=x\n", "6: unknown section [pol]; did you mean [pool]?\n"},
    {"misspelt_listener_is_not_reported_as_missing", "[listner l]\nbind=127.0.0.1:1\npool=p\n" POOL,
     "1: unknown section [listner]; did you mean [listener]?\n"},
    {"unknown_section", GOOD "[backends]\n",
     "6: unknown section [backends]; there are [global], [defaults], [listener NAME] and [pool NAME]\n"},
    {"section_without_name", GOOD "[pool]\n", "6: [pool] needs a name: [pool NAME]\n"},
    {"global_with_name", GOOD "[global x]\n", "6: [global] takes no name\n"},
    {"bad_section_name", GOOD "[pool a/b]\n[pool a b]\n", "6: the name of a pool is made of letters, digits, \"_\", \"-\" and \".\"\n"
     "7: the name of a pool is made of letters, digits, \"_\", \"-\" and \".\"\n"},
    {"empty_brackets", GOOD "[]\n", "6: a section without a name: []\n"},
    {"bracket_not_closed", GOOD "[pool q\n", "6: no \"]\" at the end of the section name\n"},
    {"key_after_the_bracket", GOOD "[pool q] rise=1\n", "6: something after the \"]\" of a section (keys go on lines of their own)\n"},
    {"address_that_looks_like_a_section", GOOD "[::]:80\n", "6: something after the \"]\" of a section (keys go on lines of their own)\n"},
    {"comment_after_the_bracket", LISTENER "[pool p] ; x\n" BACKEND, ""},
    {"section_twice", GOOD POOL, "6: section [pool p] again; first on line 4\n"},
    {"global_twice", "[global]\n[global]\n" GOOD, "2: section [global] again; first on line 1\n"},
    {"section_without_keys", GOOD "[pool q]\n[listener m]\n", "6: pool \"q\" has no backends: add backend = NAME ADDRESS\n"
     "7: listener \"m\" has no pool: add pool = NAME\n7: listener \"m\" has no address: add bind = ADDRESS:PORT\n"},
    /* keys */
    {"misspelt_key", GOOD "conect_timeout=2s\n", "6: unknown key \"conect_timeout\"; did you mean \"connect_timeout\"?\n"},
    {"swapped_letters", GOOD "rsie=2\n", "6: unknown key \"rsie\"; did you mean \"rise\"?\n"},
    {"unknown_key", GOOD "frobnicate=2\n", "6: unknown key \"frobnicate\" (penstock check --help lists all keys)\n"},
    {"pool_key_in_listener", LISTENER "rise=1\n" POOL, "4: key \"rise\" belongs in [pool NAME], not in [listener]\n"},
    {"global_key_in_pool", GOOD "workers=1\n", "6: key \"workers\" belongs in [global], not in [pool]\n"},
    {"listener_key_in_global", "[global]\nbacklog=1\n" GOOD, "2: key \"backlog\" belongs in [listener NAME], not in [global]\n"},
    {"bind_in_defaults", "[defaults]\nbind=127.0.0.1:9\n" GOOD, "2: key \"bind\" belongs in [listener NAME], not in [defaults]\n"},
    {"key_of_a_later_version", GOOD "queue_limit=4\n", "6: key \"queue_limit\" is known but not supported by this version; remove it\n"},
    {"key_later_in_pools_only", GOOD "max_connections=4\n",
     "6: key \"max_connections\" is known but not supported by this version; remove it\n"},
    {"drain_timeout_in_a_listener", LISTENER "drain_timeout=1s\n" POOL,
     "4: key \"drain_timeout\" belongs in [global], not in [listener]\n"},
    {"key_twice", GOOD "rise=2\nfall=2\nrise=3\n", "8: key \"rise\" again; first on line 6\n"},
    {"key_twice_and_wrong_twice", GOOD "rise=x\nrise=3\n", "6: rise = x: not a whole number\n7: key \"rise\" again; first on line 6\n"},
    {"wrong_default_is_reported_once", "[defaults]\nrise=0\n" GOOD "[pool q]\n" BACKEND, "2: rise = 0: not in the range: 1 to 100\n"},
    {"http_key_without_http", GOOD "check_path=/x\n", "6: check_path has no effect without check = http|https\n"},
    {"http_key_with_check_set_to_tcp", GOOD "check=tcp\ncheck_path=/x\n", ""},
    {"http_key_with_check_in_defaults", GOOD "check_path=/x\n[defaults]\ncheck=http\n", ""},
    {"hash_key_without_consistent_hash", GOOD "hash_prefix_v4=24\n", "6: hash_prefix_v4 has no effect without balance = consistent_hash\n"},
    /* values */
    {"duration_without_unit", GOOD "connect_timeout=500\n", "6: connect_timeout = 500: needs a unit: ms, s, m or h\n"},
    {"duration_or_off", LISTENER "keepalive=on\n" POOL, "4: keepalive = on: not a duration such as 500ms, 2s, 5m or 1h, or off\n"},
    {"keepalive_in_fractions", LISTENER "keepalive=1500ms\n" POOL, "4: keepalive = 1500ms: not a multiple of 1s\n"},
    {"negative_number", GOOD "rise=-1\n", "6: rise = -1: not a whole number\n"},
    {"number_too_long_for_64_bits", GOOD "rise=99999999999999999999\n", "6: rise = 99999999999999999999: not in the range: 1 to 100\n"},
    {"seed_of_64_bits", "[global]\nseed=18446744073709551615\n" GOOD, ""},
    {"seed_of_16_hex_digits", "[global]\nseed=0xffffffffffffffff\n" GOOD, ""},
    {"seed_of_17_hex_digits", "[global]\nseed=0x10000000000000000\n" GOOD,
     "2: seed = 0x10000000000000000: not in the range: 0 to 18446744073709551615\n"},
    {"most_workers", "[global]\nworkers=1024\n" GOOD, ""},
    {"too_many_workers", "[global]\nworkers=1025\n" GOOD, "2: workers = 1025: not in the range: auto, or 1 to 1024\n"},
    {"seed_too_large", "[global]\nseed=18446744073709551616\n" GOOD,
     "2: seed = 18446744073709551616: not in the range: 0 to 18446744073709551615\n"},
    {"percent_without_sign", GOOD "check_jitter=10\n", "6: check_jitter = 10: not a percentage such as 10%\n"},
    {"yes_or_no", LISTENER "defer_accept=true\n" POOL, "4: defer_accept = true: not one of: yes, no\n"},
    {"misspelt_choice", GOOD "balance=leastconn\n", "6: balance = leastconn: did you mean \"least_conn\"?\n"},
    {"unknown_choice", GOOD "splice=perhaps\n", "6: splice = perhaps: not one of: auto, always, never\n"},
    {"choice_of_a_later_version", GOOD "balance=least_time\n", "6: balance = least_time: known, but not supported by this version\n"},
    {"log_to_a_word", "[global]\nlog=console\n" GOOD, "2: log = console: not stderr, stdout, syslog, journal or a path with a \"/\" in it\n"},
    {"syslog_facility", "[global]\naccess_log=syslog:local8\n" GOOD,
     "2: access_log = syslog:local8: not a facility of syslog such as daemon, user or local0 to local7\n"},
    {"cpu_named_twice", "[global]\ncpu_affinity=0-2,2\n" GOOD, "2: cpu_affinity = 0-2,2: CPU 2 is named twice\n"},
    {"cpu_list_of_nonsense", "[global]\ncpu_affinity=0,,2\n" GOOD,
     "2: cpu_affinity = 0,,2: not auto, off, or a list of CPUs from 0 to 1023 such as 0,2-3\n"},
    {"hash_table_not_prime", GOOD "balance=consistent_hash\nhash_table_size=65536\n", "7: hash_table_size = 65536: not a prime number\n"},
    {"hash_table_smaller_than_pool", GOOD BACKEND "backend=c 127.0.0.1:3\nbackend=d 127.0.0.1:3\nbackend=e 127.0.0.1:4\n"
     "balance=consistent_hash\nhash_table_size=3\n",
     "6: backend b: this name is taken by line 5\n11: hash_table_size = 3: fewer entries than the 5 backends of pool \"p\"\n"},
    {"status_range_backwards", GOOD "check=http\ncheck_status=399-200\n",
     "7: check_status = 399-200: a range ends before it begins\n"},
    {"status_list_with_a_class", GOOD "check=http\ncheck_status=200,5xx\n",
     "7: check_status = 200,5xx: not a list of codes and ranges such as 200-299,401\n"},
    {"status_beyond_599", GOOD "check=http\ncheck_status=200-299,999\n", "7: check_status = 200-299,999: a code is not from 100 to 599\n"},
    {"status_list", GOOD "check=http\ncheck_status=200-299, 401,503\n", ""},
    {"tls_key_without_tls", GOOD "check_tls_ca=/x\n", "6: check_tls_ca has no effect without check = https|grpc\n"},
    {"grpc", GOOD "check=grpc\ncheck_service=llama\ncheck_grpc=inference\ncheck_tls=yes\ncheck_tls_verify=no\ncheck_host=a.example\n", ""},
    {"grpc_key_without_grpc", GOOD "check_service=x\n", "6: check_service has no effect without check = grpc\n"},
    {"tls_key_of_grpc_without_tls", GOOD "check=grpc\ncheck_tls_name=a.example\n",
     "7: check_tls_name has no effect on a gRPC probe without check_tls = yes\n"},
    {"tls_key_in_defaults_of_grpc_without_tls", GOOD "check=grpc\n[defaults]\ncheck_tls_name=a.example\ncheck=https\n", ""},
    {"tls_ca_that_is_no_path", GOOD "check=https\ncheck_tls_ca=x.pem\n", "7: check_tls_ca = x.pem: not system or a path with a \"/\" in it\n"},
    {"tls_name_with_a_port", GOOD "check=https\ncheck_tls_name=a.example:443\n", "7: check_tls_name = a.example:443: a port does not belong here\n"},
    {"tls_name_with_a_scheme", GOOD "check=https\ncheck_tls_name=https:\\/\\/a.example\n",
     "7: check_tls_name = https://a.example: not a host name or an IP address\n"},
    {"host_that_no_certificate_is_for", GOOD "check=https\ncheck_host=a_b!\n",
     "7: check_host = a_b!: not a name that a certificate can be for: add check_tls_name\n"},
    {"host_that_no_certificate_is_for_and_another_name", GOOD "check=https\ncheck_host=a_b!\ncheck_tls_name=::1\n", ""},
    {"head_with_a_body_over_tls", LISTENER POOL "check=https\ncheck_method=HEAD\n[defaults]\ncheck_body=x\n",
     "7: check_method = HEAD: check_body needs an answer with a body, and check_method = HEAD gets none\n"},
    {"path_without_slash", GOOD "check=http\ncheck_path=x\n", "7: check_path = x: not a path that begins with \"/\" and has no blanks\n"},
    {"method_in_small_letters", GOOD "check=http\ncheck_method=get\n", "7: check_method = get: not a word in capitals such as GET\n"},
    {"udp_with_all_keys", GOOD "check=udp\ncheck_send=PING\\r\\n\\x00\\; x\ncheck_expect=hex:01 0? ??\n", ""},
    {"check_keys_of_the_default_check", GOOD "check_send=x\ncheck_expect=x\n",
     ""},
    {"agent_keys_without_agent", GOOD "agent_interval=1s\nagent_send=x\n",
     "6: agent_interval has no effect without agent_port, or check = agent\n7: agent_send has no effect without agent_port, or check = agent\n"},
    {"agent_keys_with_check", GOOD "check=agent\nagent_interval=1s\nagent_send=x\n", ""},
    {"agent_keys_with_port", GOOD "agent_port=9\nagent_interval=1s\nagent_send=x\n", ""},
    {"agent_keys_with_port_of_backend", GOOD "backend=c 127.0.0.1:9 agent_port=9\nagent_interval=1s\nagent_send=x\n", ""},
    {"agent_port_of_unix_socket", GOOD "backend=c unix:/x agent_port=9\n", "6: backend c: a UNIX socket has no ports: agent_port needs a check_address\n"},
    {"agent_port_of_unix_socket_with_address", GOOD "backend=c unix:/x agent_port=9 check_port=9\ncheck_address=127.0.0.1\n", ""},
    {"agent_port_out_of_range", GOOD "backend=c 127.0.0.1:9 agent_port=65536\n", "6: backend c: agent_port=65536: not in the range: 1 to 65535\n"},
    {"exec_without_permission", GOOD "check=exec\ncheck_command=/bin/true\n",
     "6: check = exec: not allowed, because it runs a program: set allow_exec = yes in [global]\n"},
    {"exec_without_permission_in_two_pools", GOOD "check=exec\ncheck_command=/bin/true\n[pool q]\nbackend=b 127.0.0.1:2\ncheck=exec\ncheck_command=/bin/true\n",
     "6: check = exec: not allowed, because it runs a program: set allow_exec = yes in [global]\n"},
    {"exec_with_permission", GOOD "check=exec\ncheck_command=/bin/true a b\n[global]\nallow_exec=yes\n", ""},
    {"exec_without_command", GOOD "check=exec\n[global]\nallow_exec=yes\n", "6: check = exec: needs a program: add check_command = /PATH\n"},
    {"command_without_path", GOOD "check=exec\ncheck_command=true\n[global]\nallow_exec=yes\n",
     "7: check_command = true: not a path that begins with \"/\"\n"},
    {"command_without_exec", GOOD "check_command=/bin/true\n", "6: check_command has no effect without check = exec\n"},
    {"udp_key_with_check_set_to_http", GOOD "check=http\ncheck_send=x\n", ""},
    {"escape_that_no_payload_has", GOOD "check=udp\ncheck_send=a\\q\n",
     "7: check_send = a\\q: after a \"\\\" comes r, n, t, xNN or a punctuation mark\n"},
    {"backslash_at_the_end_of_a_payload", GOOD "check=udp\ncheck_send=a\\\n",
     "7: a \"\\\" at the end: lines are not continued; leave it out, or write \\\\ if it is meant\n"},
    {"wildcard_in_what_is_sent", GOOD "check=udp\ncheck_send=hex:0?\n", "7: check_send = hex:0?: after hex: come pairs of digits 0-9, a-f\n"},
    {"half_a_byte", GOOD "check=udp\ncheck_expect=hex:012\n",
     "7: check_expect = hex:012: after hex: come pairs of digits 0-9, a-f or ? for any digit\n"},
    {"udp_probe_of_a_unix_backend", GOOD "backend=c unix:/x\ncheck=udp\n",
     "6: backend c: check = udp cannot probe a UNIX socket: add check_address and check_port to its pool, or choose another check\n"},
    {"udp_probe_of_a_unix_backend_with_a_port", GOOD "backend=c unix:/x check_port=1\ncheck=udp\n",
     "6: backend c: check = udp cannot probe a UNIX socket: add check_address and check_port to its pool, or choose another check\n"},
    {"udp_probe_of_a_unix_backend_with_an_address", GOOD "backend=c unix:/x\ncheck=udp\ncheck_address=127.0.0.1\n",
     "6: backend c: check = udp cannot probe a UNIX socket: add check_address and check_port to its pool, or choose another check\n"},
    {"udp_probe_for_a_unix_backend_elsewhere", GOOD "backend=c unix:/x check_port=1\ncheck=udp\ncheck_address=127.0.0.1\n", ""},
    {"udp_probe_of_a_host_name", LISTENER "[pool p]\nbackend=b localhost:53\ncheck=udp\n",
     "5: backend b: address localhost:53: not a numeric address (names are not looked up)\n"},
    {"body_of_head", GOOD "check=http\ncheck_method=HEAD\ncheck_body=ok\n",
     "8: check_body = ok: check_body needs an answer with a body, and check_method = HEAD gets none\n"},
    {"body_in_defaults_of_head", "[defaults]\ncheck_body=ok\ncheck=http\n" GOOD "check_method=HEAD\n",
     "9: check_method = HEAD: check_body needs an answer with a body, and check_method = HEAD gets none\n"},
    {"body_of_head_in_defaults", "[defaults]\ncheck_method=HEAD\ncheck=http\n" GOOD "check_body=ok\n",
     "9: check_body = ok: check_body needs an answer with a body, and check_method = HEAD gets none\n"},
    {"body_and_head_in_defaults", "[defaults]\ncheck_body=ok\ncheck=http\ncheck_method=HEAD\n" GOOD "[pool q]\n" BACKEND,
     "2: check_body = ok: check_body needs an answer with a body, and check_method = HEAD gets none\n"},
    {"body_and_head_in_defaults_that_nobody_probes", "[defaults]\ncheck_body=ok\ncheck_method=HEAD\n" GOOD, ""},
    {"check_address_with_port", GOOD "check_address=127.0.0.1:80\n",
     "6: check_address = 127.0.0.1:80: not an IP address (without a port)\n"},
    {"interface_name_too_long", LISTENER "interface=1234567890123456\n" POOL,
     "4: interface = 1234567890123456: 16 bytes long; at most 15 are allowed\n"},
    /* addresses */
    {"bind_by_name", LISTENER "bind=localhost:80\n" POOL, "4: bind = localhost:80: not a numeric address (names are not looked up)\n"},
    {"bind_without_port", LISTENER "bind=127.0.0.2\n" POOL, "4: bind = 127.0.0.2: no port; write ADDRESS:PORT\n"},
    {"bind_of_a_port_alone", LISTENER "bind=:8080\nbind=8080\nbind=:8000-8010\n" POOL,
     "4: bind = :8080: no address before the port; write *:PORT for all addresses\n"
     "5: bind = 8080: no address before the port; write *:PORT for all addresses\n"
     "6: bind = :8000-8010: no address before the port; write *:PORT for all addresses\n"},
    {"bind_with_options", LISTENER "bind=0.0.0.0:80 ssl\nbind=*:81 ssl\n" POOL,
     "4: bind = 0.0.0.0:80 ssl: contains a blank; write a single ADDRESS:PORT\n"
     "5: bind = *:81 ssl: contains a blank; write a single ADDRESS:PORT\n"},
    {"bind_with_a_scheme", LISTENER "bind=tcp://0.0.0.0:80\nbind=http://*:80-90\n" POOL,
     "4: bind = tcp://0.0.0.0:80: no scheme and no path belong here: write ADDRESS:PORT\n"
     "5: bind = http://*:80-90: no scheme and no path belong here: write ADDRESS:PORT\n"},
    {"bind_of_two_addresses", LISTENER "bind=*:80,*:81\nbind=1.2.3.4:80-81, 1.2.3.5:80\n" POOL,
     "4: bind = *:80,*:81: contains a comma; write a single ADDRESS:PORT\n"
     "5: bind = 1.2.3.4:80-81, 1.2.3.5:80: contains a blank; write a single ADDRESS:PORT\n"},
    {"bind_port_below", LISTENER "bind=127.0.0.1:-1\nbind=*:-1\n" POOL, "4: bind = 127.0.0.1:-1: the port is not a number from 1 to 65535\n"
     "5: bind = *:-1: the port is not a number from 1 to 65535\n"},
    {"bind_range_backwards", LISTENER "bind=127.0.0.1:9-8\n" POOL, "4: bind = 127.0.0.1:9-8: the port range ends before it begins\n"},
    {"bind_range_too_far", LISTENER "bind=127.0.0.1:9-65536\n" POOL,
     "4: bind = 127.0.0.1:9-65536: the end of the port range is not a number from 1 to 65535\n"},
    {"as_many_addresses_as_allowed", "[listener l]\ninterface=nosuchif0\nbind=*:1-65535\nbind=unix:/a\nbind=unix:/b\npool=p\n" POOL, ""},
    {"one_address_too_many", "[listener l]\ninterface=nosuchif0\nbind=*:1-65535\nbind=unix:/a\nbind=unix:/b\nbind=unix:/c\nbind=unix:/d\npool=p\n" POOL,
     "6: bind = unix:/c: more than 131072 addresses in all listeners together\n"},
    {"ranges_of_too_many_addresses", "[listener l]\ninterface=nosuchif0\nbind=*:1-65535\npool=p\n"
     "[listener m]\ninterface=nosuchif1\npool=p\nbind=*:1-65535\nbind=*:1-65535\n" POOL,
     "8: bind = *:1-65535: more than 131072 addresses in all listeners together\n"},
    {"bind_twice", LISTENER "bind=127.0.0.1:1\n" POOL, "4: bind = 127.0.0.1:1: 127.0.0.1:1 is already bound at test:2\n"},
    {"bind_twice_in_two_listeners", GOOD "[listener m]\npool=p\nbind=127.0.0.1:1\n",
     "8: bind = 127.0.0.1:1: 127.0.0.1:1 is already bound at test:2\n"},
    {"wildcard_over_address", LISTENER "bind=*:1\n" POOL, "4: bind = *:1: 0.0.0.0:1 overlaps 127.0.0.1:1 at test:2\n"},
    {"address_under_wildcard_range_is_reported_once", LISTENER "bind=[::]:5-9\nbind=[::1]:6-8\n" POOL,
     "5: bind = [::1]:6-8: [::1]:6 overlaps [::]:6 at test:4\n"},
    {"wildcards_of_two_families", LISTENER "bind=0.0.0.0:8\nbind=[::]:8\n" POOL, ""},
    {"same_address_on_two_interfaces", GOOD
     "[listener m]\npool=p\ninterface=a\nbind=*:8\n[listener n]\npool=p\ninterface=b\nbind=*:8\n", ""},
    {"unix_path_spelt_two_ways", LISTENER "bind=unix:/a/b\nbind=unix://a/././/b\n" POOL,
     "5: bind = unix://a/././/b: unix://a/././/b is already bound at test:4\n"},
    {"unix_paths_that_differ", LISTENER "bind=unix:/a/b\nbind=unix:/a/.b\nbind=unix:/a/b.\nbind=unix:@a/b\nbind=unix:@a//b\n" POOL, ""},
    {"unix_backend_is_the_listener_spelt_another_way", "[listener l]\nbind=unix:/x\npool=p\n[pool p]\nbackend=b unix:/./x\n",
     "5: backend b unix:/./x: the socket of listener l (line 2): connections would loop back\n"},
    {"unix_path_twice", LISTENER "bind=unix:/a\nbind=unix:/a\n" POOL, "5: bind = unix:/a: unix:/a is already bound at test:4\n"},
    {"unknown_pool", "[listener l]\nbind=127.0.0.1:1\npool=wbe\n[pool web]\n" BACKEND,
     "3: pool = wbe: there is no such pool; did you mean \"web\"?\n"},
    {"missing_pool", "[listener l]\nbind=127.0.0.1:1\npool=p\n", "3: pool = p: there is no section [pool p]\n"},
    {"backend_without_name", GOOD "backend=127.0.0.1:3\n", "6: backend = 127.0.0.1:3: begins with a name of letters, digits, "
     "\"_\", \"-\" and \".\" (at most 63); write backend = NAME ADDRESS\n"},
    {"backend_without_address", GOOD "backend=c\n", "6: backend c: no address; write backend = NAME ADDRESS\n"},
    {"backend_by_name", GOOD "backend=c host:80\n", "6: backend c: address host:80: not a numeric address (names are not looked up)\n"},
    {"backend_with_a_scheme", GOOD "backend=c http://10.0.0.1:8001/v1\n",
     "6: backend c: address http://10.0.0.1:8001/v1: no scheme and no path belong here: write ADDRESS:PORT\n"},
    {"backend_of_a_port_alone", GOOD "backend=c :8001\n",
     "6: backend c: address :8001: no address before the port; write ADDRESS:PORT\n"},
    {"backend_without_port", GOOD "backend=c 10.0.0.1 weight=2\n", "6: backend c: address 10.0.0.1: no port; write ADDRESS:PORT\n"},
    {"backend_with_a_comma", GOOD "backend=c 10.0.0.1:80, weight=2\n",
     "6: backend c: address 10.0.0.1:80,: contains a comma; write a single ADDRESS:PORT\n"},
    {"backend_of_many_ports", GOOD "backend=c 10.0.0.1:80-81\n", "6: backend c: address 10.0.0.1:80-81: a range of ports, where one port is needed\n"},
    {"backend_at_any_address", GOOD "backend=c *:80\nbackend=d [::]:80\n", "6: backend c: address *:80: not an address to connect to\n"
     "7: backend d: address [::]:80: not an address to connect to\n"},
    {"backend_at_wildcard", GOOD "backend=c 0.0.0.0:80\n", "6: backend c: address 0.0.0.0:80: not an address to connect to\n"},
    {"backend_at_broadcast", GOOD "backend=c 255.255.255.255:80\n", "6: backend c: address 255.255.255.255:80: not an address to connect to\n"},
    {"backend_at_multicast", GOOD "backend=c 224.0.0.1:80\nbackend=d [ff02::1]:80\n", "6: backend c: address 224.0.0.1:80: not an address to connect to\n"
     "7: backend d: address [ff02::1]:80: not an address to connect to\n"},
    {"bind_at_multicast", LISTENER "bind=224.0.0.1:8-9\nbind=[ff02::1]:8\n" POOL, "4: bind = 224.0.0.1:8-9: not an address to listen on\n"
     "5: bind = [ff02::1]:8: not an address to listen on\n"},
    {"check_address_at_multicast", GOOD "check_address=ff02::1\n", "6: check_address = ff02::1: not an address to connect to\n"},
    {"check_address_at_wildcard", GOOD "check_address=0.0.0.0\n", "6: check_address = 0.0.0.0: not an address to connect to\n"},
    {"link_local_without_interface", LISTENER "bind=[fe80::1]:8-9\n" POOL "backend=c [fe80::2]:80\n",
     "4: bind = [fe80::1]:8-9: a link-local address needs its interface: [fe80::1%eth0]:PORT, or interface = eth0\n"
     "7: backend c: address [fe80::2]:80: a link-local address needs its interface: [fe80::1%eth0]:PORT\n"},
    {"link_local_with_the_interface_of_the_listener", LISTENER "interface=eth0\nbind=[fe80::1]:8-9\n" POOL, ""},
    {"check_address_without_interface", GOOD "check_address=fe80::1\n", "6: check_address = fe80::1: a link-local address needs its interface: fe80::1%eth0\n"},
    {"interface_of_an_address_that_has_none", "[listener l]\nbind=[::1]:1\nbind=[::1%lo]:1\npool=p\n[pool p]\nbackend=b [::1%lo]:1\n",
     "3: bind = [::1%lo]:1: only a link-local address (fe80::) has an interface after a \"%\"; leave it out\n"
     "6: backend b: address [::1%lo]:1: only a link-local address (fe80::) has an interface after a \"%\"; leave it out\n"},
    {"backend_weight_below", GOOD "backend=c 127.0.0.1:3 weight=0\n", "6: backend c: weight=0: not in the range: 1 to 256\n"},
    {"backend_weight_most", GOOD "backend=c 127.0.0.1:3 weight=256\n", ""},
    {"backend_weight_above", GOOD "backend=c 127.0.0.1:3 weight=257\n", "6: backend c: weight=257: not in the range: 1 to 256\n"},
    {"backend_option_misspelt", GOOD "backend=c 127.0.0.1:3 wieght=2\n",
     "6: backend c: unknown option \"wieght\"; did you mean \"weight\"?\n"},
    {"backend_option_of_a_later_version", GOOD "backend=c 127.0.0.1:3 zone=a\n",
     "6: backend c: zone= is known but not supported by this version\n"},
    {"backend_options_in_wrong_shape", GOOD "backend=c 127.0.0.1:3 weight backup=1 # x\nbackend=d 127.0.0.1:3 x\n", "6: backend c: weight needs a value: weight=N\n"
     "6: backend c: backup takes no value\n6: backend c: unknown option \"#\" (a comment at the end of a line begins with \";\")\n"
     "7: backend d: unknown option \"x\"; there are weight=, max_connections=, check_port=, agent_port=, drain_timeout=, state= and backup\n"},
    {"backend_options_with_blanks", GOOD "backend=c 127.0.0.1:3 weight = 2 backup\nbackend=d 127.0.0.1:3 check_port= 2\nbackend=e 127.0.0.1:3 weight =2\n",
     "6: backend c: options are written without blanks: weight=N\n7: backend d: options are written without blanks: check_port=N\n"
     "8: backend e: options are written without blanks: weight=N\n"},
    {"backend_option_without_number", GOOD "backend=c 127.0.0.1:3 weight=\n", "6: backend c: weight=: not a whole number\n"},
    {"backend_states", GOOD "backend=c 127.0.0.1:3 state=drain\nbackend=d 127.0.0.1:3 state=maint backup\nbackend=e 127.0.0.1:3 state=ready\n", ""},
    {"backend_state_unknown", GOOD "backend=c 127.0.0.1:3 state=draining\nbackend=d 127.0.0.1:3 state=\nbackend=e 127.0.0.1:3 state\n",
     "6: backend c: state=draining: not one of: ready, drain, maint\n7: backend d: state=: not one of: ready, drain, maint\n"
     "8: backend e: state needs a value: state=ready|drain|maint\n"},
    {"backend_with_a_comment", GOOD "backend=c 127.0.0.1:3 # the second one\nbackend=d 127.0.0.1:3 #backup too\nbackend=e 127.0.0.1:3 // the third\n",
     "6: backend c: unknown option \"#\" (a comment at the end of a line begins with \";\")\n"
     "7: backend d: unknown option \"#backup\" (a comment at the end of a line begins with \";\")\n"
     "8: backend e: unknown option \"//\" (a comment at the end of a line begins with \";\")\n"},
    {"no_break_space", LISTENER "bind=127.0.0.1:8\xc2\xa0\n" POOL "backend=c\xc2\xa0" "127.0.0.1:3\n",
     "4: bind = 127.0.0.1:8\xc2\xa0: contains a character that is not ASCII, such as a no-break space\n"
     "7: backend = c\xc2\xa0" "127.0.0.1:3: contains a character that is not ASCII, such as a no-break space\n"},
    {"backend_option_twice", GOOD "backend=c 127.0.0.1:3 backup backup\n", "6: backend c: backup is given twice\n"},
    /* where a UNIX backend is probed */
    {"check_port_of_a_unix_backend", GOOD "backend=c unix:/x check_port=1\n",
     "6: backend c: a UNIX socket has no ports: check_port= needs a check_address; add one to its pool, or remove check_port= to "
     "probe the socket\n"},
    {"check_port_of_a_pool_with_a_unix_backend", GOOD "backend=c unix:/x\ncheck_port=1\n",
     "6: backend c: a UNIX socket has no ports: check_port needs a check_address; add one to its pool, or check_port = auto to "
     "probe the socket\n"},
    {"check_port_in_defaults_over_a_unix_backend", "[defaults]\ncheck_port=1\n" GOOD "backend=c unix:@x\n",
     "8: backend c: a UNIX socket has no ports: check_port needs a check_address; add one to its pool, or check_port = auto to "
     "probe the socket\n"},
    {"check_port_in_defaults_taken_back_by_the_pool", "[defaults]\ncheck_port=1\n" GOOD "backend=c unix:@x\ncheck_port=auto\n", ""},
    {"check_address_of_a_pool_with_unix_backends", GOOD "backend=c unix:/x\nbackend=d unix:/y check_port=1\ncheck_address=127.0.0.1\n",
     "6: backend c: a UNIX socket has no port to probe at check_address: add check_port=N here, or to its pool check_port = N, or "
     "check_address = auto to probe the socket\n"},
    {"check_address_in_defaults_over_a_unix_backend", "[defaults]\ncheck_address=::1\n" GOOD "backend=c unix:/x\n",
     "8: backend c: a UNIX socket has no port to probe at check_address: add check_port=N here, or to its pool check_port = N, or "
     "check_address = auto to probe the socket\n"},
    {"unix_backends_probed_at_address_and_port", GOOD "backend=c unix:/x\nbackend=d unix:/y check_port=1\ncheck_address=127.0.0.1\n"
     "check_port=9\n", ""},
    {"check_address_that_nobody_probes", GOOD "backend=c unix:/x\ncheck_address=127.0.0.1\ncheck=none\n", ""},
    {"check_address_of_backends_with_ports", GOOD "check_address=127.0.0.1\n", ""},
    {"backend_name_three_times", GOOD "backend=a 127.0.0.1:3\n" BACKEND BACKEND,
     "7: backend b: this name is taken by line 5\n8: backend b: this name is taken by line 5\n"},
    {"backend_limit_least", GOOD "backend=c 127.0.0.1:3 max_connections=1\n", ""},
    {"backend_limit_below", GOOD "backend=c 127.0.0.1:3 max_connections=0\n",
     "6: backend c: max_connections=0: not in the range: 1 to 10000000, or off\n"},
    {"backend_drain_timeout", GOOD "backend=c 127.0.0.1:3 drain_timeout=60s\nbackend=d 127.0.0.1:4 drain_timeout=off\nbackend=e 127.0.0.1:5 drain_timeout=0s\n", ""},
    {"backend_drain_timeout_without_unit", GOOD "backend=c 127.0.0.1:3 drain_timeout=60\n",
     "6: backend c: drain_timeout=60: needs a unit: ms, s, m or h\n"},
    {"backend_drain_timeout_above", GOOD "backend=c 127.0.0.1:3 drain_timeout=25h\n",
     "6: backend c: drain_timeout=25h: not in the range: off, or 0s to 24h\n"},
    {"backend_limit_off", GOOD "backend=c 127.0.0.1:3 max_connections=off\n", ""},
    {"backend_limit_most", GOOD "backend=c 127.0.0.1:3 max_connections=10000000\n", ""},
    {"backend_limit_above", GOOD "backend=c 127.0.0.1:3 max_connections=10000001\n",
     "6: backend c: max_connections=10000001: not in the range: 1 to 10000000, or off\n"},
    {"unix_backend_is_the_listener", "[listener l]\nbind=unix:/x\nbind=127.0.0.1:3-9\npool=p\n[pool p]\nbackend=b unix:/x\n",
     "6: backend b unix:/x: the socket of listener l (line 2): connections would loop back\n"},
    {"backend_is_in_the_range_of_the_listener", "[listener l]\nbind=127.0.0.1:1-65535\npool=p\n[pool p]\nbackend=b 127.0.0.1:65535\n",
     "5: backend b 127.0.0.1:65535: the address of listener l (line 2): connections would loop back\n"},
    {"backend_is_the_listener", LISTENER "[pool p]\nbackend=b 127.0.0.1:1\n",
     "5: backend b 127.0.0.1:1: the address of listener l (line 2): connections would loop back\n"},
    /* UDP */
    {"unknown_protocol", LISTENER "protocol=sctp\n" POOL, "4: protocol = sctp: not one of: tcp, udp, tcp+udp\n"},
    {"unix_address_of_a_udp_listener", "[listener l]\nbind=unix:/x\nprotocol=udp\npool=p\n" POOL, "2: bind = unix:/x: a UNIX socket is for protocol = tcp only\n"},
    {"unix_address_of_a_listener_of_both", "[listener l]\nbind=unix:/x\nbind=127.0.0.1:1\nprotocol=tcp+udp\npool=p\n" POOL,
     "2: bind = unix:/x: a UNIX socket is for protocol = tcp only\n"},
    {"unix_backends_of_a_udp_listener", LISTENER "protocol=udp\n" POOL "backend=c unix:/x\nbackend=d 127.0.0.1:3\nbackend=e unix:@y\n",
     "7: backend c: a UNIX socket cannot serve listener \"l\", which is for UDP: give it an IP address and port\n"
     "9: backend e: a UNIX socket cannot serve listener \"l\", which is for UDP: give it an IP address and port\n"},
    {"unix_backend_of_a_listener_of_both", LISTENER "protocol=tcp+udp\n" POOL "backend=c unix:/x\n",
     "7: backend c: a UNIX socket cannot serve listener \"l\", which is for UDP: give it an IP address and port\n"},
    {"proxy_header_over_tcp", GOOD "proxy_protocol=v2\n",
     "3: pool = p: its proxy_protocol is for UDP only in this version, and listener \"l\" serves TCP: use another pool, or protocol = udp\n"},
    {"proxy_header_over_both", LISTENER "protocol=tcp+udp\n" POOL "proxy_protocol=v2_first\n",
     "3: pool = p: its proxy_protocol is for UDP only in this version, and listener \"l\" serves TCP: use another pool, or protocol = udp\n"},
    {"proxy_header_over_udp", LISTENER "protocol=udp\n" POOL "proxy_protocol=v2\n", ""},
    {"proxy_header_of_a_pool_that_tcp_uses_too", LISTENER "protocol=udp\n[listener m]\nbind=127.0.0.1:3\npool=p\n" POOL "proxy_protocol=v2\n",
     "7: pool = p: its proxy_protocol is for UDP only in this version, and listener \"m\" serves TCP: use another pool, or protocol = udp\n"},
    {"proxy_header_without_replies", LISTENER "protocol=udp\n" POOL "proxy_protocol=v2\nudp_responses=0\n",
     "3: pool = p: with udp_responses = 0, clients share flows, and no proxy_protocol is possible: set one of them to another value\n"},
    {"limits_of_flows_over_tcp", LISTENER "max_flows=1\nflow_rate=2\nmax_flows_per_source=3\n" POOL,
     "4: max_flows has no effect without protocol = udp\n5: flow_rate has no effect without protocol = udp\n"
     "6: max_flows_per_source has no effect without protocol = udp\n"},
    {"limits_of_flows_over_both", LISTENER "protocol=tcp+udp\nmax_flows=1\nflow_rate=2\nmax_flows_per_source=3\n" POOL, ""},
    {"connection_id_without_quic", GOOD "hash_cid_bytes=3\nhash_cid_offset=1\n",
     "6: hash_cid_bytes has no effect without hash_key = quic_cid\n7: hash_cid_offset has no effect without hash_key = quic_cid\n"},
    {"udp_and_tcp_on_one_address", LISTENER "[listener m]\nbind=127.0.0.1:1\nprotocol=udp\npool=p\n" POOL, ""},
    {"udp_twice_on_one_address", LISTENER "protocol=udp\n[listener m]\nbind=*:1\nprotocol=udp\npool=p\n" POOL,
     "6: bind = *:1: 0.0.0.0:1 overlaps 127.0.0.1:1 at test:2\n"},
    {"udp_and_both_on_one_address", LISTENER "protocol=udp\n[listener m]\nbind=127.0.0.1:1\nprotocol=tcp+udp\npool=p\n" POOL,
     "6: bind = 127.0.0.1:1: 127.0.0.1:1 is already bound at test:2\n"},
    {"udp_backend_is_the_listener", LISTENER "protocol=udp\n[pool p]\nbackend=b 127.0.0.1:1\n",
     "6: backend b 127.0.0.1:1: the address of listener l (line 2): datagrams would loop back\n"},
    {"backend_is_the_listener_of_both", LISTENER "protocol=tcp+udp\n[pool p]\nbackend=b 127.0.0.1:1\n",
     "6: backend b 127.0.0.1:1: the address of listener l (line 2): connections would loop back\n"},
    {"backend_is_the_listener_through_wildcard", "[listener l]\nbind=*:2\npool=p\n" POOL,
     "5: backend b 127.0.0.1:2: an address of this machine that listener l accepts (line 2): connections would loop back\n"},
};

static void gives_these_errors(void **state)
{
    const struct test_case *c = *state;
    struct config_errors *errors = config_errors_new();
    struct config *config = config_load_text("test", c->text, c->bytes ? c->bytes : strlen(c->text), errors);
    char all[4096] = "", wanted[4096] = "", wanted_file[4096] = "";
    const char *at = c->errors;

    assert_int_equal(config == NULL, config_errors_count(errors) > 0);
    for (size_t i = 0; i < config_errors_lines(errors); i++) {
        strcat(all, config_errors_text(errors, i));
        strcat(all, "\n");
    }
    while (*at) { /* an error begins with its line number, or is about the whole file; the latter come first */
        size_t n = strcspn(at, "\n") + 1;
        bool numbered = *at >= '0' && *at <= '9';
        char *to = numbered ? wanted : wanted_file;
        sprintf(to + strlen(to), numbered ? "test:%.*s" : "test: %.*s", (int)n, at);
        at += n;
    }
    strcat(wanted_file, wanted);
    assert_string_equal(all, wanted_file);
    config_free(config);
    config_errors_free(errors);
}

int main(void)
{
    struct CMUnitTest tests[sizeof(cases) / sizeof(cases[0])] = {{0}};

    unsetenv("PENSTOCK_TEST_UNSET");
    static char large[32769];
    memset(large, 'x', sizeof(large) - 1);
    setenv("PENSTOCK_TEST_32_KIB", large, 1);
    setenv("PENSTOCK_TEST_EMPTY", "", 1);
    setenv("PENSTOCK_TEST_NEWLINE", "a\nb", 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        tests[i] = (struct CMUnitTest){.name = cases[i].situation, .test_func = gives_these_errors, .initial_state = &cases[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
