/* test_certificates: config/certificates: which files of certificates are accepted when a configuration is loaded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/certificates.h"
#include "config/config.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define BEGIN "-----BEGIN CERTIFICATE-----\n"
#define END "-----END CERTIFICATE-----\n"
/* DER: a SEQUENCE of 5 bytes, and one of 200 bytes less what is missing. Nothing looks deeper than that. */
#define SHORT "MAUCAwEAAQ==\n"
#define LONG_CUT_OFF "MIHIAgMBAAE=\n"

static const char no_certificate[] = "contains no certificate (in PEM, with a line \"-----BEGIN CERTIFICATE-----\")";
static const char unreadable[] = "contains a certificate that cannot be read";

static char path[64];

static const char *check_text(const char *text, size_t bytes)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, bytes, file), bytes);
    fclose(file);
    return config_certificates_check(path);
}

static void files_of_certificates_are_told_from_others(void **state)
{
    static const struct {
        const char *text, *problem;
    } rows[] = {
        {BEGIN SHORT END, NULL},
        {"a comment\n" BEGIN SHORT END "another\n" BEGIN SHORT END, NULL},
        {"-----BEGIN TRUSTED CERTIFICATE-----\n" SHORT "-----END TRUSTED CERTIFICATE-----\n", NULL},
        {"-----BEGIN PRIVATE KEY-----\nnothing\n-----END PRIVATE KEY-----\n" BEGIN SHORT END, NULL},
        {"-----BEGIN CERTIFICATE-----\r\nMAUC\r\nAwEAAQ==\r\n" END, NULL},
        {"", no_certificate},
        {"garbage", no_certificate},
        {"-----BEGIN PRIVATE KEY-----\n" SHORT "-----END PRIVATE KEY-----\n", no_certificate},
        {"-----BEGIN CERTIFICATE REQUEST-----\n" SHORT "-----END CERTIFICATE REQUEST-----\n", no_certificate},
        {"-----BEGIN ", no_certificate},
        {BEGIN, unreadable},
        {BEGIN END, unreadable},
        {BEGIN SHORT, unreadable},
        {BEGIN LONG_CUT_OFF END, unreadable},
        {BEGIN "MAUCAwEAAQ=\n" END, unreadable},
        {BEGIN "MAUC!wEAAQ==\n" END, unreadable},
        {BEGIN "MAUC==EAAQ==\n" END, unreadable},
        {BEGIN "AAUCAwEAAQ==\n" END, unreadable},
        {BEGIN SHORT END BEGIN "MAUC\n" END, unreadable},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *problem = check_text(rows[i].text, strlen(rows[i].text));
        if ((problem == NULL) != (rows[i].problem == NULL) || (problem != NULL && strcmp(problem, rows[i].problem) != 0))
            fail_msg("row %zu: %s", i, problem ? problem : "accepted");
    }
    assert_string_equal(check_text("\0" BEGIN SHORT END, sizeof("\0" BEGIN SHORT END) - 1), no_certificate);
}

static void what_cannot_be_read_is_said(void **state)
{
    (void)state;
    assert_string_equal(config_certificates_check("/nonexistent/ca.pem"), "No such file or directory");
    assert_string_equal(config_certificates_check("/tmp"), "Is a directory");
    assert_string_equal(config_certificates_check("/dev/zero"), "is a device, not a regular file");
}

/* Loads a configuration whose [defaults] names the file, in two pools. */
static void a_configuration_names_its_bad_file_once(void **state)
{
    static const char rest[] = "check=https\n[listener l]\nbind=127.0.0.1:1\npool=p\n[listener m]\nbind=127.0.0.1:2\npool=q\n"
                               "[pool p]\nbackend=b 127.0.0.1:3\n[pool q]\nbackend=b 127.0.0.1:3\n";
    char ini[80], expected[400];
    struct config_errors *errors = config_errors_new();
    (void)state;
    check_text("garbage", 7);
    snprintf(ini, sizeof(ini), "%s.ini", path);
    FILE *file = fopen(ini, "w");
    assert_non_null(file);
    fprintf(file, "[defaults]\ncheck_tls_ca=%s\n%s", path, rest);
    fclose(file);
    assert_null(config_load(ini, errors));
    assert_int_equal(config_errors_count(errors), 1);
    snprintf(expected, sizeof(expected), "%s:2: check_tls_ca = %s: %s", ini, path, no_certificate);
    assert_string_equal(config_errors_text(errors, 0), expected);
    config_errors_free(errors);

    errors = config_errors_new();
    check_text(BEGIN SHORT END, sizeof(BEGIN SHORT END) - 1);
    struct config *config = config_load(ini, errors);
    assert_non_null(config);
    assert_string_equal(config->pools[1].settings.check_tls_ca, path);
    config_free(config);
    config_errors_free(errors);
    unlink(ini);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_of_certificates_are_told_from_others),
        cmocka_unit_test(what_cannot_be_read_is_said),
        cmocka_unit_test(a_configuration_names_its_bad_file_once),
    };
    snprintf(path, sizeof(path), "/tmp/penstock-test-XXXXXX");
    int fd = mkstemp(path);
    if (fd < 0)
        return 1;
    close(fd);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
