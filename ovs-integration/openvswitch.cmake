# Open vSwitch's own libraries, libopenvswitch and libovsdb, built from the source tarball of
# Debian's openvswitch-source. Debian ships no usable development package of libovsdb, and its
# API moves between releases: the tarball, the headers and the archives must be of one version.
#
# Sets up openvswitch::ovsdb (headers as SYSTEM, archives, and the libraries that they need) and
# HNV_OVS_SOURCE_DIR, the built source tree, in the caller's scope. The build happens while CMake
# configures, once; all build types share its directory. A stamp names the tarball and the recipe
# that it was made with; a lock lets several configure runs meet in it.
set(HNV_OVS_TARBALL /usr/src/openvswitch/openvswitch.tar.gz CACHE FILEPATH
    "Open vSwitch's sources, from Debian's openvswitch-source")
set(HNV_OVS_BUILD_DIR ${CMAKE_SOURCE_DIR}/build/openvswitch CACHE PATH
    "Where Open vSwitch's libraries are built; may be shared by several build trees")

set(HNV_OVS_SOURCE_DIR ${HNV_OVS_BUILD_DIR}/openvswitch)
set(hnv_ovs_archives
    ${HNV_OVS_SOURCE_DIR}/ovsdb/.libs/libovsdb.a
    ${HNV_OVS_SOURCE_DIR}/lib/.libs/libopenvswitch.a
    ${HNV_OVS_SOURCE_DIR}/lib/.libs/libopenvswitchavx512.a)

# The compiler is named here and not taken from CMAKE_C_COMPILER: the archives are the same for
# every build type, the one of clang too, and for every environment variable that may be set.
set(hnv_ovs_configure_arguments
    --prefix=/usr --sysconfdir=/etc --localstatedir=/var
    --enable-silent-rules --disable-dependency-tracking --disable-shared
    CC=gcc "CFLAGS=-O2 -g -fno-omit-frame-pointer" PYTHON3=/usr/bin/python3)

# Runs one step with its output appended to the log; when it fails, shows the end of the log.
function(hnv_ovs_step what)
    file(APPEND ${HNV_OVS_BUILD_DIR}/build.log "== ${what}: ${ARGN}\n")
    execute_process(
        COMMAND ${CMAKE_COMMAND} -E env --unset=MAKEFLAGS --unset=MAKELEVEL --unset=MFLAGS
                --unset=CFLAGS --unset=CPPFLAGS --unset=LDFLAGS ${ARGN}
        WORKING_DIRECTORY ${HNV_OVS_SOURCE_DIR}
        RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
    file(APPEND ${HNV_OVS_BUILD_DIR}/build.log "${output}")
    if(NOT result EQUAL 0)
        string(LENGTH "${output}" length)
        math(EXPR start "${length} - 3000")
        if(start LESS 0)
            set(start 0)
        endif()
        string(SUBSTRING "${output}" ${start} -1 tail)
        message(NOTICE "${tail}")
        message(FATAL_ERROR "Open vSwitch: '${what}' failed (${result}); the end of its output is "
                            "above, the whole of it in ${HNV_OVS_BUILD_DIR}/build.log")
    endif()
endfunction()

function(hnv_ovs_build stamp_text)
    message(STATUS "Building Open vSwitch's libraries in ${HNV_OVS_BUILD_DIR} (once, a minute)")
    string(TIMESTAMP begin "%s" UTC)
    file(REMOVE_RECURSE ${HNV_OVS_SOURCE_DIR})
    file(REMOVE ${HNV_OVS_BUILD_DIR}/stamp ${HNV_OVS_BUILD_DIR}/build.log)
    file(ARCHIVE_EXTRACT INPUT ${HNV_OVS_TARBALL} DESTINATION ${HNV_OVS_BUILD_DIR})
    if(NOT EXISTS ${HNV_OVS_SOURCE_DIR}/configure)
        message(FATAL_ERROR "${HNV_OVS_TARBALL} has no openvswitch/configure")
    endif()

    cmake_host_system_information(RESULT jobs QUERY NUMBER_OF_LOGICAL_CORES)
    hnv_ovs_step("configure" ./configure ${hnv_ovs_configure_arguments})
    # Automake makes the generated headers only for "all"; the libraries alone would stop at the
    # first one that is missing.
    file(WRITE ${HNV_OVS_SOURCE_DIR}/hnv.mk "include Makefile\nhnv-built: $(BUILT_SOURCES)\n")
    hnv_ovs_step("generate headers" make -s -j${jobs} -f hnv.mk hnv-built)
    hnv_ovs_step("compile" make -s -j${jobs} lib/libopenvswitch.la ovsdb/libovsdb.la
                 ovsdb/_server.ovsschema.inc)

    file(WRITE ${HNV_OVS_BUILD_DIR}/stamp "${stamp_text}")
    string(TIMESTAMP end "%s" UTC)
    math(EXPR seconds "${end} - ${begin}")
    message(STATUS "Building Open vSwitch's libraries: done in ${seconds} s")
endfunction()

function(hnv_ovs_ensure)
    if(NOT EXISTS ${HNV_OVS_TARBALL})
        message(FATAL_ERROR "${HNV_OVS_TARBALL} is missing: install Debian's openvswitch-source "
                            "(packaging/install-deps does) or set HNV_OVS_TARBALL")
    endif()
    file(SHA256 ${HNV_OVS_TARBALL} checksum)
    # Count up when the steps of hnv_ovs_build change: what lies there is then built anew.
    set(recipe 1)
    set(stamp_text "recipe ${recipe}\ntarball ${checksum}\n${hnv_ovs_configure_arguments}\n")

    file(MAKE_DIRECTORY ${HNV_OVS_BUILD_DIR})
    file(LOCK ${HNV_OVS_BUILD_DIR} DIRECTORY GUARD FUNCTION TIMEOUT 900)
    if(EXISTS ${HNV_OVS_BUILD_DIR}/stamp)
        file(READ ${HNV_OVS_BUILD_DIR}/stamp present)
    endif()
    if(NOT "${present}" STREQUAL "${stamp_text}")
        hnv_ovs_build("${stamp_text}")
    endif()
endfunction()

hnv_ovs_ensure()

# By plain names: libunbound's pkg-config file asks for headers of libevent that nothing here needs.
add_library(openvswitch::ovsdb INTERFACE IMPORTED GLOBAL)
# The root serves <config.h> and "ovsdb/….h"; lib serves "util.h" and the other private headers.
set_target_properties(openvswitch::ovsdb PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES
        "${HNV_OVS_SOURCE_DIR};${HNV_OVS_SOURCE_DIR}/include;${HNV_OVS_SOURCE_DIR}/lib"
    INTERFACE_LINK_LIBRARIES
        "-Wl,--start-group;${hnv_ovs_archives};-Wl,--end-group;ssl;crypto;unbound;cap-ng;atomic;m;Threads::Threads")
