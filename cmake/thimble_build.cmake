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
