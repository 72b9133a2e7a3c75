# Debian's kernel for clouds, as it is: small, most of virtio as modules; and our own modules.
file(GLOB own_modules CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/modules/*)
add_custom_command(
    OUTPUT ${kernel_folder}/vmlinux ${kernel_folder}/modules.stamp
    COMMAND ${CMAKE_CURRENT_LIST_DIR}/build ${kernel_folder}
    DEPENDS ${CMAKE_CURRENT_LIST_DIR}/build ${CMAKE_CURRENT_LIST_DIR}/fetch-kernel
            ${CMAKE_CURRENT_SOURCE_DIR}/extract-vmlinux ${own_modules}
    COMMENT "Getting the guest's kernel from Debian (40 MB)"
    USES_TERMINAL
    VERBATIM)
