# SPDX-License-Identifier: Apache-2.0
# What an author calls has a case in tests/golden: each function of these headers stands, by its name or by that of the function
# which its macro calls, in a test of tests/unit/nn (lines that expect a refusal do not count); each optimizer and scheduler in the
# recordings. Ops: tests/engine/test_ops_golden.c.
cmake_minimum_required(VERSION 3.25)

# By the way of another one, or with nothing in torch to compare with.
set(excepted
    lth_swiglu_new lth_swiglu_apply lth_causal_attention_apply # LlamaLayer and GptBlock are made of them
    lth_batch_normalize lth_rms_normalize                      # the norms' layers apply them
    lth_rms_norm_apply lth_instance_norm_apply                 # lth_layer_norm_apply and lth_batch_norm_apply under other names
    lth_rnn_cell_new                                           # lth_recurrent_cell_new_ is called for it
    lth_dropout                                                # random; the op's own tests
    lth_masked_select                                          # always refused
    lth_init_values                                            # the values themselves
    lth_scalar lth_zeros_like lth_expand_to lth_item lth_print lth_assert lth_assign)

file(GLOB tests ${SOURCE}/tests/unit/nn/*.c)
set(calls "")
foreach(file IN LISTS tests)
    file(STRINGS ${file} lines REGEX "lth_|LTH_|ROW|RUN")
    list(FILTER lines EXCLUDE REGEX "REFUSES")
    string(APPEND calls "${lines}")
endforeach()

set(headers arrange choose create einsum image order sequence statistics tensor)
list(TRANSFORM headers REPLACE "(.+)" "${SOURCE}/sdk/include/lthost/\\1.h")
file(GLOB layers ${SOURCE}/sdk/nn/*.h)
set(found 0)
foreach(header IN LISTS headers layers)
    file(READ ${header} text)
    string(REGEX REPLACE "[][;]|\\\\\n" " " text "${text}")
    string(REGEX MATCHALL "\n#define lth_[a-z0-9_]*[a-z0-9]\\([^\n]*" macros "${text}")
    foreach(macro IN LISTS macros)
        string(REGEX MATCH "lth_[a-z0-9_]+" name "${macro}")
        string(REGEX MATCH "(lth_[a-z0-9_]+_|LTH_[A-Z0-9_]+_)\\(" behind "${macro}")
        math(EXPR found "${found} + 1")
        string(FIND "${calls}" "${name}(" by_name)
        string(FIND "${calls}" "${behind}" by_callee)
        string(REPLACE "lth_" "" row "${name}")
        string(FIND "${calls}" "(${row})" by_row) # a row of a table, whose macro makes the name
        if(name IN_LIST excepted OR NOT by_name EQUAL -1 OR NOT by_row EQUAL -1 OR (behind AND NOT by_callee EQUAL -1))
            continue()
        endif()
        message(SEND_ERROR "${header}: ${name} is compared with torch by no test of tests/unit/nn")
    endforeach()
endforeach()
if(found LESS 300)
    message(SEND_ERROR "only ${found} functions were found in the headers: have macros another form now?")
endif()

set(linear_lr linear) # recorded under the component's name, or torch's
set(plateau reduce_on_plateau)
foreach(kind optimizer scheduler)
    file(READ ${SOURCE}/tests/golden/${kind}s.json recorded)
    file(GLOB plugins RELATIVE ${SOURCE}/plugins/${kind}s ${SOURCE}/plugins/${kind}s/*)
    foreach(plugin IN LISTS plugins)
        if(DEFINED ${plugin})
            set(name ${${plugin}})
        else()
            set(name ${plugin})
        endif()
        string(FIND "${recorded}" "\"${kind}\": \"${name}\"" at)
        if(at EQUAL -1 AND IS_DIRECTORY ${SOURCE}/plugins/${kind}s/${plugin})
            message(SEND_ERROR "plugins/${kind}s/${plugin} has no case in tests/golden/${kind}s.json")
        endif()
    endforeach()
endforeach()
