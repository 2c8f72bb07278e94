# SPDX-License-Identifier: MIT
# Callers that stay connected: each publishes the lines of a pipe and keeps all that it is sent, the
# way other people's programs do. A certificate is one connection, so each has three.
callers="vera otto anna" # viewer, operator, admin
declare -A pipe
talkers=()

add_users() {
    "$thimble" user add vera --role viewer --connections 3 >/dev/null &&
        "$thimble" user add otto --role operator --connections 3 >/dev/null &&
        "$thimble" user add anna --role admin --connections 3 >/dev/null &&
        "$thimble" user add adam --role admin >/dev/null && # for the tool
        "$thimble" user add ha --role operator --homeassistant >/dev/null &&
        "$thimble" user add keeper >/dev/null
}

# as NAME[.N]: mosquitto's options for that device, or that connection of that user.
as() {
    local own=$home/users/${1%.*}/user
    case $1 in
    garden | hut) own=$home/devices/$1/device ;;
    *.*) own+=.${1#*.} ;;
    *) own=$home/users/$1/user ;;
    esac
    local to=$user_port
    [[ $1 = garden || $1 = hut ]] && to=$port
    echo "-h localhost -p $to --cafile $home/ca/server.crt --cert $own.crt --key $own.key -V mqttv5"
}
# seen PATTERN: the keeper, who may read all, was told so. Somebody has sent zeros and worse.
seen() { grep -aq -- "$1" "$scratch/watch"; }
# listen NAME FILE FILTER...: in the background, topic and payload a line.
listen() {
    local name=$1 file=$2 filter filters=()
    shift 2
    for filter; do filters+=(-t "$filter"); done
    # shellcheck disable=SC2046
    timeout 600 mosquitto_sub $(as "$name") ${kept:-} -q 1 -v "${filters[@]}" >>"$scratch/$file" 2>"$scratch/$file.err" &
    listener=$!
    children+=("$listener")
}
# once NAME options...: one message.
# shellcheck disable=SC2046
once() { timeout 20 mosquitto_pub $(as "$1") -q 1 "${@:2}" 2>>"$scratch/once.err"; }

open_callers() {
    local name
    talkers=()
    kept="-c -i keeper -x 3600" listen keeper watch '#' # nothing escapes him while he is away
    talkers+=("$listener")
    for name in $callers; do
        [ -p "$scratch/say.$name" ] || mkfifo "$scratch/say.$name"
        exec {pipe[$name]}<>"$scratch/say.$name"
        # shellcheck disable=SC2046
        timeout 600 mosquitto_pub $(as "$name") -q 1 -l -t "garden/from/$name/rpc" \
            <"$scratch/say.$name" 2>"$scratch/say.$name.err" &
        children+=("$!")
        talkers+=("$!")
        listen "$name.2" "to.$name" "garden/to/$name/#"
        talkers+=("$listener")
    done
    for name in $callers; do
        : >>"$scratch/to.$name"
        wait_for 10 answers "$name"
    done
}
close_callers() {
    local name pid
    for name in $callers; do exec {pipe[$name]}>&-; done
    for pid in "${talkers[@]}"; do
        kill "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    talkers=()
}
answers() { ask_once "$1" Rpc.List && [ -n "$answer" ]; }

# ---- one request, one answer: nobody else asks as this caller meanwhile ----
lines_to() { wc -l <"$scratch/to.$1"; }
more_to() { [ "$(lines_to "$1")" -gt "$2" ]; }
# say CALLER FRAME: as it stands.
say() { printf '%s\n' "$2" >&"${pipe[$1]}"; }
# tell CALLER FRAME [SECONDS]: and the answer, in $answer.
tell() {
    local before
    before=$(lines_to "$1")
    answer=
    say "$1" "$2"
    wait_for "${3:-10}" more_to "$1" "$before" || return 1
    answer=$(tail -n +$((before + 1)) "$scratch/to.$1" | head -1)
}
frame() { echo "{\"id\":\"$SRANDOM\",\"method\":\"$1\",\"params\":${2:-{\}}}"; }
ask() { tell "$1" "$(frame "$2" "${3:-}")"; }
ask_once() { tell "$1" "$(frame "$2" "${3:-}")" 1; }
# gives CALLER CODE METHOD [PARAMS]: it is answered with that; 200 is a result.
code() { sed -n 's/.*"error":{"code":\([0-9]*\).*/\1/p; t; s/.*"result":.*/200/p' <<<"$answer"; }
gives() {
    ask "$1" "$3" "${4:-}" || { echo "no answer to $3"; return 1; }
    [ "$(code)" = "$2" ] || { echo "$3 by $1: $answer"; return 1; }
}
# frame_gives CALLER CODES FRAME: one of these codes, '|' between.
frame_gives() {
    tell "$1" "$3" || { echo "no answer to $3"; return 1; }
    [[ "$(code)" =~ ^($2)$ ]] || { echo "$3: $answer"; return 1; }
}
# of_answer 'EXPRESSION over r': by sqlite, of the result that came last.
of_answer() {
    local text=${answer#* }
    sqlite3 :memory: "select $1 from (select json_extract('${text//\'/\'\'}', '\$.result') as r)"
}
# result 'CONDITION over r': of the answer that came last.
result() { [ "$(of_answer "$1")" = 1 ] || { echo "$answer"; return 1; }; }
