# What the demos share: processes, free ports, output, the news from penstock's log. Sourced by test/lib/demo and test/lib/demo-udp, in the root folder.
programs=${1:-build/release}
work=$(mktemp -d) || exit 1
declare -A pid=() port=()

cleanup() {
    trap - EXIT INT TERM
    local id
    for id in "${pid[@]}"; do kill "$id" 2>/dev/null; done
    for id in "${pid[@]}"; do wait "$id" 2>/dev/null; done
    rm -rf "$work"
}
trap cleanup EXIT
trap 'echo; echo "stopped"; exit 130' INT
trap 'exit 143' TERM

fail() { # TEXT NAME: prints the text, and the end of what the process NAME has printed
    echo "demo: $1" >&2
    [ -s "$work/$2.log" ] && tail -n 5 "$work/$2.log" >&2
    exit 1
}

# say TEXT: prints the text, over the progress line if there is one.
if [ -t 1 ]; then clear=$'\r\e[K' bold=$'\e[1m' plain=$'\e[0m'; else clear='' bold='' plain=''; fi
say() { printf '%s%s\n' "$clear" "$*"; }

# wait_until SECONDS COMMAND...: polls
wait_until() {
    local left=$(($1 * 50))
    shift
    until "$@"; do
        [ $((left -= 1)) -gt 0 ] || return 1
        sleep 0.02
    done
}

answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
receives() { grep -qi "^ *[0-9]*: [0-9A-F]*:$(printf %04X "$1") " /proc/net/udp /proc/net/udp6; }

next_port=7100
choose_port() { # NAME: the first free port from 7100 on
    while answers $next_port || receives $next_port; do next_port=$((next_port + 1)); done
    port[$1]=$next_port
    next_port=$((next_port + 1))
}

start_penstock() { # CONFIGURATION
    export DEMO_LOG=$work/penstock.log DEMO_PORT=${port[penstock]}
    "$programs/penstock" run -c "$1" >"$work/output.log" 2>&1 &
    pid[penstock]=$!
    wait_until 10 is_ready && kill -0 "${pid[penstock]}" 2>/dev/null || { cat "$work/output.log" >&2; fail 'penstock did not start' penstock; }
}
is_ready() { grep -qw ready "$DEMO_LOG" 2>/dev/null || ! kill -0 "${pid[penstock]}" 2>/dev/null; }

start_load() { # OPTIONS...: in the background; its table goes to a file
    "$programs/penstock-bench" load "$@" --progress >"$work/table" &
    pid[load]=$!
    shown=$(wc -l <"$DEMO_LOG")
}

tell_news() { # what penstock has logged since the last call
    local stamp level text
    while read -r stamp level text; do
        shown=$((shown + 1))
        case $text in
            *\ is\ DOWN* | *\ is\ UP* | *\ does\ not\ take\ datagrams*) say "      penstock: $text" ;;
        esac
    done < <(tail -n +$((shown + 1)) "$DEMO_LOG" 2>/dev/null)
}

beat() { # SECONDS, or until the load has ended
    local left=$(($1 * 10))
    while [ $((left -= 1)) -ge 0 ] && kill -0 "${pid[load]}" 2>/dev/null; do
        sleep 0.1
        tell_news
    done
}

kill_server() { # NAME
    kill -KILL "${pid[$1]}"
    wait "${pid[$1]}" 2>/dev/null
}

finish_load() { # prints the table; the status is that of the load
    beat 30
    kill -0 "${pid[load]}" 2>/dev/null && fail 'the load does not end' penstock
    wait "${pid[load]}"
    local status=$?
    unset "pid[load]"
    echo
    cat "$work/table"
    echo
    return $status
}

stop_penstock() { # the status is that of penstock
    kill "${pid[penstock]}"
    wait "${pid[penstock]}"
    local status=$?
    unset "pid[penstock]"
    return $status
}
