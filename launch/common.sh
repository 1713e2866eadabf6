# shellcheck shell=bash
# What the scripts of this folder share.

# Runs a command, or with DRY_RUN set prints it in a form that a shell would read back.
run() {
    if [[ -n ${DRY_RUN:-} ]]; then
        printf '%q ' "$@"
        printf '\n'
    else
        "$@"
    fi
}

fail() {
    echo "error: $*" >&2
    exit 1
}

# Words as one string that a remote shell takes apart again.
quoted() { printf '%q ' "$@"; }

# Words as a JSON list, which is one in YAML, too.
json_list() {
    local word list=""
    for word in "$@"; do
        [[ $word != *[[:cntrl:]]* ]] || fail "a control character in $(quoted "$word")"
        word=${word//\\/\\\\}
        list+="${list:+, }\"${word//\"/\\\"}\""
    done
    printf '[%s]' "$list"
}
