# SPDX-License-Identifier: Apache-2.0
# find_package(OpenBLAS): the target OpenBLAS::OpenBLAS. The OpenMP build is preferred, since it shares one pool of
# threads with oneDNN; Debian's alternatives prefer the pthread build, hence a path of its own and a run path.
find_library(OpenBLAS_LIBRARY NAMES openblas PATH_SUFFIXES openblas-openmp)
foreach(dir IN ITEMS ${CMAKE_SYSTEM_LIBRARY_PATH} /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE} /usr/lib)
    if(EXISTS "${dir}/openblas-openmp/libopenblas.so")
        set(OpenBLAS_LIBRARY "${dir}/openblas-openmp/libopenblas.so" CACHE FILEPATH "" FORCE)
        break()
    endif()
endforeach()
find_path(OpenBLAS_INCLUDE_DIR NAMES cblas.h
    HINTS /usr/include/${CMAKE_LIBRARY_ARCHITECTURE}/openblas-openmp /usr/include/${CMAKE_LIBRARY_ARCHITECTURE}
    PATH_SUFFIXES openblas)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OpenBLAS REQUIRED_VARS OpenBLAS_LIBRARY OpenBLAS_INCLUDE_DIR)
mark_as_advanced(OpenBLAS_INCLUDE_DIR OpenBLAS_LIBRARY)
if(OpenBLAS_FOUND AND NOT TARGET OpenBLAS::OpenBLAS)
    add_library(OpenBLAS::OpenBLAS UNKNOWN IMPORTED)
    set_target_properties(OpenBLAS::OpenBLAS PROPERTIES
        IMPORTED_LOCATION "${OpenBLAS_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${OpenBLAS_INCLUDE_DIR}")
    if(OpenBLAS_LIBRARY MATCHES "/openblas-openmp/")
        get_filename_component(OpenBLAS_DIR_ "${OpenBLAS_LIBRARY}" DIRECTORY)
        set_target_properties(OpenBLAS::OpenBLAS PROPERTIES INTERFACE_LINK_OPTIONS "LINKER:-rpath,${OpenBLAS_DIR_}")
    endif()
endif()
