# SPDX-License-Identifier: Apache-2.0
# awk -v to=FOLDER -f older.awk HEADER...: the SDK's headers as an earlier version may have had them: each table named here ends
# before the field beside it.
BEGIN {
    ends["lth_model"] = "configure_optimizers"
    ends["LTH_HOOKS_"] = "on_save_checkpoint"
    ends["lth_datamodule"] = "hooks"
    ends["lth_dataset"] = "size"
    ends["lth_field"] = "pad"
    ends["lth_log_args"] = "batch_size"
    ends["lth_schedule"] = "warmup"
    ends["lth_scheduler"] = "momentum"
    ends["lth_strategy"] = "barrier"
    ends["lth_step_api"] = "gradients"
    ends["lth_batch_api"] = "epoch"
    ends["lth_writer_api"] = "put_bytes"
    ends["lth_reader_api"] = "get_bytes"
}
FNR == 1 {
    file = FILENAME
    sub(/^.*\//, "", file)
    file = to "/" file
}
/^(typedef )?struct lth_[a-z_]+ \{/ && !/\}/ {
    name = $0
    sub(/^.*struct /, "", name)
    sub(/ \{.*/, "", name)
}
/^#define LTH_HOOKS_ / { name = "LTH_HOOKS_" }
name in ends && !/^ *\/?\*/ && $0 ~ "[ *]" ends[name] "(\\)\\(| LTH_ZERO|;)" {
    cutting = 1
    delete ends[name]
}
/^(\}|$)/ {
    if (cutting && name == "LTH_HOOKS_")
        print "" > file # the macro's end
    cutting = 0
    name = ""
}
!cutting { print > file }
END {
    for (name in ends) {
        print "older.awk: " name " has no field " ends[name] > "/dev/stderr"
        exit 1
    }
}
