# SPDX-License-Identifier: Apache-2.0
# lth_add_plugin(NAME SOURCES file... VERSION x.y.z LICENSE spdx-id [FILES file...] [LIBRARIES library...])
#
# Builds the plugin NAME into LTH_PLUGIN_DIR/NAME (default: plugins/NAME in the build folder), ready for
# `lthost --plugin-dir`: NAME.so, which exports its entry symbol alone and binds fully when it is loaded; its manifest
# plugin.ini, which `lthost manifest` reads out of the library; and FILES, which the plugin finds at run time by
# `plugin_dir`. `install` puts the same folder into LTH_PLUGIN_INSTALL_DIR (default: lib/lthost/plugins), bit by bit,
# since the manifest holds the library's hash. LIBRARIES lthost::accel adds the SDK's sources for accelerators. NAME is also the target's name, for target_*() calls of your own.
include_guard(GLOBAL)

function(lth_add_plugin name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "VERSION;LICENSE" "SOURCES;FILES;LIBRARIES")
    if(arg_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "lth_add_plugin(${name}): unknown argument '${arg_UNPARSED_ARGUMENTS}'")
    endif()
    foreach(required SOURCES VERSION LICENSE)
        if(NOT arg_${required})
            message(FATAL_ERROR "lth_add_plugin(${name}): ${required} is missing")
        endif()
    endforeach()
    if(NOT name MATCHES "^[a-z][a-z0-9_]*$")
        message(FATAL_ERROR "lth_add_plugin(${name}): a plugin's name is lower case: [a-z][a-z0-9_]*")
    endif()
    if(TARGET ${name})
        message(FATAL_ERROR "lth_add_plugin(${name}): that name is taken; the names of plugins are unique over all kinds")
    endif()
    set(base "${LTH_PLUGIN_DIR}")
    if(NOT base)
        set(base "${CMAKE_BINARY_DIR}/plugins")
    endif()
    set(folder "${base}/${name}")

    set(map "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/lth_plugin.map")
    add_library(${name} MODULE ${arg_SOURCES})
    set_target_properties(${name} PROPERTIES
        PREFIX "" OUTPUT_NAME ${name} LIBRARY_OUTPUT_DIRECTORY "${folder}"
        C_STANDARD 11 C_STANDARD_REQUIRED ON CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON
        C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
        BUILD_WITH_INSTALL_RPATH ON INSTALL_RPATH "$ORIGIN" LINK_DEPENDS "${map}")
    target_compile_definitions(${name} PRIVATE
        "LTH_PLUGIN_ID=\"${name}\"" "LTH_PLUGIN_VERSION=\"${arg_VERSION}\"" "LTH_PLUGIN_LICENSE=\"${arg_LICENSE}\"")
    # Messages name a source file from the project's root on, wherever it was built.
    target_compile_options(${name} PRIVATE -ffp-contract=off "-fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=")
    target_link_libraries(${name} PRIVATE lthost::sdk ${arg_LIBRARIES} m)
    target_link_options(${name} PRIVATE LINKER:-z,now "LINKER:--version-script=${map}")
    # clang keeps the sanitizers' runtime in the program alone, so there a plugin's own references stay open.
    if(NOT (CMAKE_C_COMPILER_ID MATCHES "Clang" AND "${CMAKE_C_FLAGS}" MATCHES "-fsanitize"))
        target_link_options(${name} PRIVATE LINKER:-z,defs)
    endif()

    set(beside)
    foreach(file IN LISTS arg_FILES)
        get_filename_component(source "${file}" ABSOLUTE)
        get_filename_component(leaf "${file}" NAME)
        add_custom_command(OUTPUT "${folder}/${leaf}" DEPENDS "${source}" VERBATIM
            COMMAND ${CMAKE_COMMAND} -E copy_if_different "${source}" "${folder}/${leaf}"
            COMMAND ${CMAKE_COMMAND} -E touch "${folder}/${leaf}")
        list(APPEND beside "${folder}/${leaf}")
    endforeach()
    if(LTHOST_PROGRAM)
        add_custom_command(OUTPUT "${folder}/plugin.ini" DEPENDS ${name} ${LTHOST_PROGRAM_TARGET} VERBATIM
            COMMAND "${LTHOST_PROGRAM}" manifest "$<TARGET_FILE:${name}>" --output "${folder}/plugin.ini"
            COMMENT "Writing the manifest of ${name}")
        list(APPEND beside "${folder}/plugin.ini")
    endif()
    add_custom_target(${name}_files ALL DEPENDS ${beside})

    set(install_dir "${LTH_PLUGIN_INSTALL_DIR}")
    if(NOT install_dir)
        set(install_dir lib/lthost/plugins)
    endif()
    install(PROGRAMS "$<TARGET_FILE:${name}>" DESTINATION "${install_dir}/${name}")
    install(FILES ${beside} DESTINATION "${install_dir}/${name}")
endfunction()
