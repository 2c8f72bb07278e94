# SPDX-License-Identifier: MIT
# What every bare-metal build shares: BearSSL and lwIP from .cache/sources (scripts/fetch-sources),
# Thimble's portable core, and one function that links an image.

get_filename_component(THIMBLE_ROOT ${CMAKE_CURRENT_LIST_DIR}/.. ABSOLUTE)
set(THIMBLE_SOURCES ${THIMBLE_ROOT}/.cache/sources CACHE PATH "where fetch-sources puts sources")
foreach(name bearssl lwip)
    if(NOT EXISTS ${THIMBLE_SOURCES}/${name}/src)
        message(FATAL_ERROR "${name}'s source is missing: run scripts/fetch-sources first")
    endif()
endforeach()

if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE MinSizeRel)
endif()
set(CMAKE_C_FLAGS_MINSIZEREL "-Os -g")
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_INSTALL_INCLUDEDIR include)
include(${CMAKE_CURRENT_LIST_DIR}/thimble_build.cmake)
target_compile_options(thimble_flags INTERFACE -fstack-usage)

# Other people's code: their warnings are theirs.
add_library(thimble_foreign_flags INTERFACE)
target_compile_options(thimble_foreign_flags INTERFACE -w -ffunction-sections -fdata-sections
    -fno-common -fstack-usage)

# thimble_edited(COPY ORIGINAL FROM TO...): COPY is ORIGINAL with each regular expression FROM replaced by
# TO, in which @semicolon@ is one. The sources are pinned: what is not found is an error of ours.
function(thimble_edited copy original)
    set(semicolon ";")
    file(READ ${original} text)
    while(ARGN)
        list(POP_FRONT ARGN from to)
        string(REGEX REPLACE "${from}" "${to}" changed "${text}")
        if(changed STREQUAL text)
            message(FATAL_ERROR "${original} does not hold what is to be replaced: ${from}")
        endif()
        set(text "${changed}")
    endwhile()
    file(CONFIGURE OUTPUT ${copy} CONTENT "${text}" @ONLY)
endfunction()

# BearSSL's headers, without room for what Thimble never negotiates or hashes with: a record context of
# CBC with DES keys is twice that of AES-GCM, and names are hashed with SHA-256 alone.
function(thimble_bearssl_headers to)
    set(from ${THIMBLE_SOURCES}/bearssl/inc)
    file(COPY ${from}/ DESTINATION ${to} PATTERN bearssl_ssl.h EXCLUDE PATTERN bearssl_x509.h EXCLUDE)
    thimble_edited(${to}/bearssl_ssl.h ${from}/bearssl_ssl.h
        "br_sslrec_in_cbc_context cbc" "struct { const br_sslrec_in_cbc_class *vtable@semicolon@ } cbc"
        "br_sslrec_out_cbc_context cbc" "struct { const br_sslrec_out_cbc_class *vtable@semicolon@ } cbc")
    thimble_edited(${to}/bearssl_x509.h ${from}/bearssl_x509.h
        "br_hash_compat_context dn_hash" "br_sha256_context dn_hash"
        "current_dn_hash.64." "current_dn_hash[32]"
        "next_dn_hash.64." "next_dn_hash[32]"
        "saved_dn_hash.64." "saved_dn_hash[32]")
endfunction()

# The handshake's interpreter looks a suite up a dozen times, from the start of a table in which the two
# that are offered first come last: with them in front, 0.25 M instructions less a handshake.
function(thimble_bearssl_suites to)
    set(chacha "0xCC, 0xA8, 0x15,[ \n\t]*0x04, 0xCC, 0xA9, 0x25,[ \n\t]*0x04,")
    thimble_edited(${to} ${THIMBLE_SOURCES}/bearssl/src/ssl/ssl_hs_client.c
        "(t0_datablock..) = {([ \n\t]*0x00,)(.*)(${chacha})" "\\1 = {\\2 \\4\\3")
endfunction()

# BearSSL is told that there is no operating system and no wide arithmetic.
function(thimble_bearssl)
    file(GLOB_RECURSE sources ${THIMBLE_SOURCES}/bearssl/src/*.c)
    set(edited ${CMAKE_BINARY_DIR}/bearssl)
    thimble_bearssl_headers(${edited}/inc)
    thimble_bearssl_suites(${edited}/ssl_hs_client.c)
    list(REMOVE_ITEM sources ${THIMBLE_SOURCES}/bearssl/src/ssl/ssl_hs_client.c)
    list(APPEND sources ${edited}/ssl_hs_client.c)
    add_library(bearssl STATIC ${sources})
    target_include_directories(bearssl SYSTEM PUBLIC ${edited}/inc)
    target_include_directories(bearssl PRIVATE ${THIMBLE_SOURCES}/bearssl/src)
    target_compile_definitions(bearssl PRIVATE BR_USE_URANDOM=0 BR_USE_UNIX_TIME=0
        BR_USE_GETENTROPY=0 BR_RDRAND=0 BR_AES_X86NI=0 BR_SSE2=0 BR_LE_UNALIGNED=0 BR_64=0)
    target_link_libraries(bearssl PRIVATE thimble_foreign_flags)
endfunction()

# lwIP with the raw API and without an operating system; ports/lwip holds its options.
function(thimble_lwip)
    set(folder ${THIMBLE_SOURCES}/lwip/src)
    file(GLOB sources ${folder}/core/*.c ${folder}/core/ipv4/*.c)
    add_library(lwip STATIC ${sources} ${folder}/netif/ethernet.c)
    target_include_directories(lwip SYSTEM PUBLIC ${folder}/include)
    target_include_directories(lwip PUBLIC ${THIMBLE_ROOT}/ports/lwip)
    target_link_libraries(lwip PRIVATE thimble_foreign_flags)
endfunction()

# The portable core and the small TLS backend, as on the host.
function(thimble_core)
    thimble_library(thimble src/base src/clock src/mqtt src/net src/store src/trust src/rpc src/zones src/sensors src/http src/update src/device)
    # The MQTT client is compiled as one at link time, by what measured smallest for that CPU
    # (THIMBLE_CLIENT_OPTIONS: each tried alone, and kept where the linked client shrank). The rest is not:
    # it is placed by file, and where it loops it pays to move what does not change out of the loop.
    file(GLOB client CONFIGURE_DEPENDS ${THIMBLE_ROOT}/src/mqtt/*.c)
    foreach(name reader writer utf8)
        list(APPEND client ${THIMBLE_ROOT}/src/base/${name}.c)
    endforeach()
    set_source_files_properties(${client} PROPERTIES COMPILE_OPTIONS
        "-flto;${THIMBLE_CLIENT_OPTIONS}")
    thimble_library(thimble_bearssl backends/tls_bearssl)
    target_link_libraries(thimble_bearssl PUBLIC bearssl)
endfunction()

# thimble_image(NAME LINKER_SCRIPT SOURCES… LIBS…): an ELF image with its map beside it.
function(thimble_image name script)
    cmake_parse_arguments(arg "" "" "SOURCES;LIBS" ${ARGN})
    add_executable(${name} ${arg_SOURCES})
    file(GLOB scripts CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.ld)
    set_target_properties(${name} PROPERTIES SUFFIX .elf LINK_DEPENDS "${scripts}")
    target_link_options(${name} PRIVATE -T ${script} -L${CMAKE_CURRENT_SOURCE_DIR}
        -Wl,--gc-sections -Wl,--no-warn-rwx-segments -flto-partition=one ${THIMBLE_LTO_OPTIONS}
        -Wl,-Map,$<TARGET_FILE_DIR:${name}>/${name}.map)
    # Nothing is inlined into the main loop: each frame would lie under every call of the
    # handshake, the deepest of all.
    target_compile_options(${name} PRIVATE -fno-inline)
    # lwIP and the port call each other, hence one group.
    target_link_libraries(${name} PRIVATE thimble_flags -Wl,--start-group ${arg_LIBS}
        ${THIMBLE_LIBC} -Wl,--end-group)
endfunction()
