// The names of findings: one address each, since the report groups by address. ../README.md says what each means.
#pragma once

namespace twin::kind {

inline constexpr char hazard_raw[] = "hazard-raw", hazard_war[] = "hazard-war", hazard_waw[] = "hazard-waw";
inline constexpr char flag_wait_unset[] = "flag-wait-unset", flag_set_twice[] = "flag-set-twice", flag_leaked[] = "flag-leaked";
inline constexpr char flag_tpipe[] = "flag-tpipe", flag_id[] = "flag-id", flag_core[] = "flag-core", barrier[] = "barrier";
inline constexpr char align[] = "align", capacity[] = "capacity", position[] = "position", core[] = "core",
                      no_init[] = "no-init";
inline constexpr char bounds_local[] = "out-of-bounds-local", bounds_global[] = "out-of-bounds-global";
inline constexpr char uninit_local[] = "uninitialised-local", uninit_global[] = "uninitialised-global";
inline constexpr char input_write[] = "input-write", race_blocks[] = "race-blocks", unwritten[] = "unwritten-result";
inline constexpr char copy_size[] = "copy-size", copy_limit[] = "copy-limit", copy_source[] = "copy-source", nd2nz_limit[] = "nd2nz-limit",
                      atomic[] = "atomic";
inline constexpr char overflow[] = "overflow", repeat_limit[] = "repeat-limit", stride[] = "stride", mask[] = "mask",
                      overlap[] = "overlap", bit_width[] = "bit-width";
inline constexpr char compare_size[] = "compare-size", select_mode[] = "select-mode", select_clobber[] = "select-clobber";
inline constexpr char tmp_size[] = "tmp-size", cast_mode[] = "cast-mode", gather_offset[] = "gather-offset";
inline constexpr char load_limit[] = "load-limit", gemv[] = "gemv", mmad_limit[] = "mmad-limit", k_padding[] = "k-padding";
inline constexpr char quant_mismatch[] = "quant-mismatch", fixpipe_limit[] = "fixpipe-limit";
inline constexpr char scalar_access[] = "scalar-access", dcache_dirty[] = "dcache-dirty", dcache_stale[] = "dcache-stale";
inline constexpr char crash[] = "crash", timeout[] = "timeout";

}  // namespace twin::kind
