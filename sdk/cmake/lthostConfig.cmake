# SPDX-License-Identifier: Apache-2.0
# find_package(lthost) gives the target lthost::sdk, the function lth_add_plugin(), LTHOST_PROGRAM, and
# LTHOST_SDK_SOURCES, the folder of nn/ and accel/.
# The prefix is computed from this file's place, so that an installed tree may be moved.
get_filename_component(LTHOST_PREFIX "${CMAKE_CURRENT_LIST_DIR}/../../.." REALPATH)
set(LTHOST_PROGRAM "${LTHOST_PREFIX}/bin/lthost")
set(LTHOST_SDK_SOURCES "${LTHOST_PREFIX}/include/lthost")

if(NOT TARGET lthost::sdk)
    add_library(lthost::sdk INTERFACE IMPORTED)
    set_target_properties(lthost::sdk PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${LTHOST_PREFIX}/include")
endif()

list(APPEND CMAKE_MODULE_PATH "${CMAKE_CURRENT_LIST_DIR}")
include("${CMAKE_CURRENT_LIST_DIR}/lth_add_plugin.cmake")
