/* fuzz_agent: any bytes from an agent: what is accepted is within its ranges, and what goes to the log has no control characters. */
#include <assert.h>
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "health/agent_report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t length, bad_bytes;
    struct agent_report report;
    const char *bad;
    bool found = agent_report_find_line(data, size, false, &length);

    assert(length <= size && found == (length < size));
    char *line = malloc(length > 0 ? length : 1); /* exactly as long as the line, so that reading beyond its end is found */
    assert(line);
    memcpy(line, data, length);
    if (agent_report_parse(&report, line, length, &bad, &bad_bytes)) {
        assert(report.weight_unit != AGENT_UNIT_ABSOLUTE || report.weight <= AGENT_WEIGHT_MAX);
        assert(report.weight_unit != AGENT_UNIT_PERCENT || report.weight <= AGENT_PERCENT_MAX);
        assert(memchr(report.reason, '\0', sizeof(report.reason)));
        for (const char *at = report.reason; *at != '\0'; at++)
            assert(isprint((unsigned char)*at));
    } else {
        assert(bad >= line && bad_bytes > 0 && bad + bad_bytes <= line + length);
    }
    free(line);
    return 0;
}
