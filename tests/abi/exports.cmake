# SPDX-License-Identifier: Apache-2.0
# Every plugin of the build exports its entry and nothing else, so that no name of one can meet a name of another.
cmake_minimum_required(VERSION 3.25)
file(GLOB plugins ${FOLDER}/*/*.so)
if(NOT plugins)
    message(SEND_ERROR "there is no plugin in ${FOLDER}")
endif()
foreach(plugin IN LISTS plugins)
    execute_process(COMMAND ${NM} -D --defined-only ${plugin} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
    if(NOT symbols MATCHES "^[0-9a-f]+ T lth_plugin_entry_v1\n$")
        message(SEND_ERROR "${plugin} exports more or less than its entry:\n${symbols}")
    endif()
endforeach()
