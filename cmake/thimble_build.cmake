# SPDX-License-Identifier: MIT
# The flags every target shares, and one function a kind of target.

set(THIMBLE_WARNINGS -Wall -Wextra -Wpedantic -Werror -Wshadow -Wundef -Wvla
    -Wwrite-strings -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wformat=2
    -Wimplicit-fallthrough -Wno-format-nonliteral)

# clang warns inside the macros of OpenSSL's headers; gcc knows them for a system's.
if(CMAKE_C_COMPILER_ID STREQUAL GNU)
    list(APPEND THIMBLE_WARNINGS -Wcast-qual)
endif()

add_library(thimble_flags INTERFACE)
target_compile_options(thimble_flags INTERFACE ${THIMBLE_WARNINGS} -fno-common
    -ffunction-sections -fdata-sections)
if(THIMBLE_SANITIZE)
    target_compile_options(thimble_flags INTERFACE -fsanitize=address,undefined
        -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(thimble_flags INTERFACE -fsanitize=address,undefined)
endif()
if(THIMBLE_MUTATION)
    target_compile_definitions(thimble_flags INTERFACE TH_MUTATION=1)
endif()
if(THIMBLE_FUZZ)
    target_compile_options(thimble_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# The repository, also when a bare-metal port is the project.
get_filename_component(THIMBLE_ROOT ${CMAKE_CURRENT_LIST_DIR}/.. ABSOLUTE)

# A file of defaults for the settings. A program for the machine that builds judges it by the schema
# and turns it into a header.
set(THIMBLE_DEFAULTS "" CACHE FILEPATH "defaults for the settings: lines of name = value")
set(thimble_defaults_header)
if(THIMBLE_DEFAULTS)
    get_filename_component(defaults ${THIMBLE_DEFAULTS} ABSOLUTE BASE_DIR ${CMAKE_SOURCE_DIR})
    set(thimble_defaults_header ${CMAKE_BINARY_DIR}/settings_defaults.h)
    set(schema ${THIMBLE_ROOT}/src/store/settings_schema.c)
    set(defaults_sources ${THIMBLE_ROOT}/cmake/host/defaults.c ${schema}
        ${THIMBLE_ROOT}/src/clock/timezone.c ${THIMBLE_ROOT}/src/clock/schedule.c
        ${THIMBLE_ROOT}/src/net/address.c
        ${THIMBLE_ROOT}/src/mqtt/topic.c ${THIMBLE_ROOT}/src/base/utf8.c
        ${THIMBLE_ROOT}/src/base/text.c)
    add_custom_command(OUTPUT ${thimble_defaults_header}
        COMMAND cc -std=c11 -O1 -I${THIMBLE_ROOT}/include -I${THIMBLE_ROOT}/src ${defaults_sources}
            -o ${CMAKE_BINARY_DIR}/settings_defaults
        COMMAND ${CMAKE_BINARY_DIR}/settings_defaults ${defaults} ${thimble_defaults_header}
        DEPENDS ${defaults} ${defaults_sources} ${THIMBLE_ROOT}/include/thimble/settings_list.h
        COMMENT "Checking the defaults in ${defaults}" VERBATIM)
    set_source_files_properties(${schema} PROPERTIES OBJECT_DEPENDS ${thimble_defaults_header}
        COMPILE_DEFINITIONS TH_SETTINGS_DEFAULTS="${thimble_defaults_header}")
endif()

# thimble_library(NAME FOLDER...): a static library of every .c file in the folders.
function(thimble_library name)
    set(sources)
    foreach(folder ${ARGN})
        file(GLOB found CONFIGURE_DEPENDS ${THIMBLE_ROOT}/${folder}/*.c)
        list(APPEND sources ${found})
    endforeach()
    if(NOT sources)
        return()
    endif()
    if(name STREQUAL thimble)
        list(APPEND sources ${thimble_defaults_header})
    endif()
    add_library(${name} STATIC ${sources})
    target_include_directories(${name} PUBLIC
        $<BUILD_INTERFACE:${THIMBLE_ROOT}/include>
        $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
        PRIVATE ${THIMBLE_ROOT}/src)
    target_link_libraries(${name} PRIVATE $<BUILD_INTERFACE:thimble_flags>)
    if(NOT name STREQUAL thimble)
        target_link_libraries(${name} PUBLIC thimble)
        target_include_directories(${name} PRIVATE ${THIMBLE_ROOT})
    endif()
endfunction()

# thimble_program(NAME SOURCES sources... LIBS libs...)
function(thimble_program name)
    cmake_parse_arguments(arg "" "" "SOURCES;LIBS" ${ARGN})
    add_executable(${name} ${arg_SOURCES})
    target_link_libraries(${name} PRIVATE ${arg_LIBS} thimble_flags)
endfunction()

# thimble_page_library(): the page of configuration mode, out of web/.
function(thimble_page_library)
    file(GLOB web CONFIGURE_DEPENDS ${THIMBLE_ROOT}/web/*)
    set(page ${CMAKE_BINARY_DIR}/page.c)
    add_custom_command(OUTPUT ${page}
        COMMAND sh ${THIMBLE_ROOT}/cmake/host/page.sh ${THIMBLE_ROOT}/web ${page}
        DEPENDS ${web} ${THIMBLE_ROOT}/cmake/host/page.sh
        COMMENT "Compressing the page" VERBATIM)
    add_library(thimble_page STATIC ${page})
    target_link_libraries(thimble_page PUBLIC thimble PRIVATE $<BUILD_INTERFACE:thimble_flags>)
endfunction()
