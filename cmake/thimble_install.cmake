# SPDX-License-Identifier: MIT
# cmake --install: libraries, headers, a pkg-config file and a CMake package.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/thimble)
set(installed thimble_flags)
foreach(lib thimble thimble_page thimble_bearssl thimble_openssl thimble_linux)
    if(TARGET ${lib})
        list(APPEND installed ${lib})
        install(TARGETS ${lib} EXPORT thimble ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
    endif()
endforeach()
install(DIRECTORY include/thimble DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN *.h)

install(EXPORT thimble NAMESPACE thimble:: FILE thimble-targets.cmake DESTINATION ${package_dir})
configure_package_config_file(cmake/thimble-config.cmake.in
    ${CMAKE_BINARY_DIR}/thimble-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/thimble-config-version.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/thimble-config.cmake
    ${CMAKE_BINARY_DIR}/thimble-config-version.cmake DESTINATION ${package_dir})

# Static libraries: what they need comes along in Libs.
configure_file(cmake/thimble.pc.in ${CMAKE_BINARY_DIR}/thimble.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/thimble.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
