# check-deep.sh: what ./check --deep does besides. Sourced by ./check, whose functions it uses.
# shellcheck shell=bash

# Warnings beyond those that always stop the build. Left out, with the reason: -Wconversion and -Wsign-conversion
# (lengths of libraries are int here and size_t there; the checked helpers of base/core/mem.h are the answer),
# -Wpadded (layout is not a fault), -Wdeclaration-after-statement (we write C11),
# -Wreserved-* (_GNU_SOURCE and the libraries' macros), -Wcovered-switch-default.
# gcc 12 finds -Wlogical-op in EAGAIN || EWOULDBLOCK, which POSIX asks for, and -Wnull-dereference where a function sets
# its result on OK only; clang's -Wcomma and -Wconditional-uninitialized speak of the same idiom.
GCC_WARNINGS='-O2 -Wduplicated-cond -Wduplicated-branches -Wdouble-promotion
    -Wformat-signedness -Walloca -Wstringop-overflow=4 -Wmissing-declarations -Wredundant-decls'
CLANG_WARNINGS='-Weverything -Wno-conversion -Wno-sign-conversion -Wno-implicit-int-conversion -Wno-shorten-64-to-32
    -Wno-padded -Wno-declaration-after-statement -Wno-reserved-identifier -Wno-comma -Wno-conditional-uninitialized
    -Wno-bad-function-cast
    -Wno-reserved-macro-identifier -Wno-covered-switch-default -Wno-disabled-macro-expansion
    -Wno-documentation -Wno-documentation-unknown-command -Wno-switch-enum -Wno-gnu-zero-variadic-macro-arguments
    -Wno-missing-noreturn -Wno-c++98-compat -Wno-used-but-marked-unused -Wno-atomic-implicit-seq-cst'

our_sources() { git ls-files '*.c' | grep -v '^tests/'; }

clang_tidy() { our_sources | xargs -r -n 4 -P "$JOBS" clang-tidy --quiet -p "$ASAN_BUILD" --warnings-as-errors='*'; }

cppcheck_all() {
    cppcheck --project="$GCC_BUILD/compile_commands.json" --enable=warning,performance,portability --inline-suppr \
        --suppress=missingIncludeSystem --suppress='*:/usr/*' --error-exitcode=1 --quiet -j "$JOBS"
}

valgrind_units() {
    local source status=0
    for source in tests/unit/test_*.c; do
        echo "== $source"
        # without the long form of the tests: the sanitizers have run it, and this is fifty times slower
        env -u BEFFROI_LONG valgrind --quiet --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
            --error-exitcode=99 --child-silent-after-fork=yes "$1/tests/$(basename "$source" .c)" || status=1
    done
    return "$status"
}

fuzz_one() { # PROGRAM NAME
    local corpus work
    work=$(mktemp -d)
    corpus=$TOP/tests/fuzz/corpus/${2#fuzz_}
    [ -d "$corpus" ] || corpus=
    local dict=$TOP/tests/fuzz/${2#fuzz_}.dict
    "$1" -max_total_time="$FUZZ_SECONDS" -timeout=10 -rss_limit_mb=2048 -artifact_prefix="$LOGS/$2-" \
        $([ -e "$dict" ] && printf -- '-dict=%s' "$dict") "$work" $corpus
    local status=$?
    rm -rf "$work"
    return "$status"
}

deep_tests() {
    local fuzzer
    step "all warnings"
    build gcc-warnings "$TOP/build/check-gcc-warnings" -DCMAKE_C_COMPILER=gcc -DCMAKE_C_FLAGS="$(echo $GCC_WARNINGS)" || true
    build clang-warnings "$TOP/build/check-clang-warnings" -DCMAKE_C_COMPILER=clang -DBUILD_TESTING=OFF \
        -DCMAKE_C_FLAGS="$(echo $CLANG_WARNINGS)" || true
    step "static analysis"
    case_run clang-tidy clang_tidy
    case_run cppcheck cppcheck_all
    step "valgrind"
    case_run valgrind valgrind_units "$TOP/build/check-gcc-warnings"
    step "fuzzers, $FUZZ_SECONDS s each"
    if build fuzz "$TOP/build/check-fuzz" -DCMAKE_C_COMPILER=clang -DBEFFROI_FUZZ=ON; then
        while read -r fuzzer; do
            case_run "fuzz/$(basename "$fuzzer")" fuzz_one "$fuzzer" "$(basename "$fuzzer")"
        done < <(find "$TOP/build/check-fuzz" -type f -name 'fuzz_*' -perm -u+x | sort)
    fi
}
