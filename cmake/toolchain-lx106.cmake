# SPDX-License-Identifier: MIT
# Debian's gcc-xtensa-lx106 for bare metal, with the headers and C library of picolibc.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR lx106)
set(CMAKE_C_COMPILER xtensa-lx106-elf-gcc)
set(CMAKE_ASM_COMPILER xtensa-lx106-elf-gcc)
set(CMAKE_AR xtensa-lx106-elf-gcc-ar)
set(CMAKE_RANLIB xtensa-lx106-elf-gcc-ranlib)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)

# -mlongcalls: flash and IRAM are farther apart than a call reaches; ports/lx106 takes it back for the
# libraries, which lie in flash. -mno-target-align: no padding before what is jumped to.
# picolibc's spec file is not found by name in this package, hence the folders by hand.
set(CMAKE_C_FLAGS_INIT "-ffreestanding -mlongcalls -mtext-section-literals -mno-target-align \
-isystem /usr/lib/xtensa-lx106-elf/include")
set(CMAKE_ASM_FLAGS_INIT "-mlongcalls -mtext-section-literals")
set(CMAKE_EXE_LINKER_FLAGS_INIT "-nostdlib -nostartfiles -L/usr/lib/xtensa-lx106-elf/lib")
set(THIMBLE_LIBC -lc -lgcc)
set(THIMBLE_TOOL_PREFIX xtensa-lx106-elf-)
