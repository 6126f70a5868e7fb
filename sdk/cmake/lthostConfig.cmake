# SPDX-License-Identifier: Apache-2.0
# find_package(lthost) gives lth_add_plugin(), LTHOST_PROGRAM and two targets: lthost::sdk, which every plugin has
# already, and lthost::accel, sources for accelerators (LIBRARIES lthost::accel).
# The prefix is computed from this file's place, so that an installed tree may be moved.
get_filename_component(LTHOST_PREFIX "${CMAKE_CURRENT_LIST_DIR}/../../.." REALPATH)
set(LTHOST_PROGRAM "${LTHOST_PREFIX}/bin/lthost")

if(NOT TARGET lthost::sdk)
    add_library(lthost::sdk INTERFACE IMPORTED)
    set_target_properties(lthost::sdk PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${LTHOST_PREFIX}/include")
    file(GLOB accel "${LTHOST_PREFIX}/include/lthost/accel/*.c" "${LTHOST_PREFIX}/include/lthost/accel/plain/*.c")
    add_library(lthost::accel INTERFACE IMPORTED)
    set_target_properties(lthost::accel PROPERTIES INTERFACE_SOURCES "${accel}" INTERFACE_LINK_LIBRARIES lthost::sdk)
endif()

list(APPEND CMAKE_MODULE_PATH "${CMAKE_CURRENT_LIST_DIR}")
include("${CMAKE_CURRENT_LIST_DIR}/lth_add_plugin.cmake")
