# SPDX-License-Identifier: MIT
# cmake --install: libraries, headers, a pkg-config file and a CMake package.
include(CMakePackageConfigHelpers)

install(DIRECTORY include/thimble DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
