# Boards: a folder in boards/ defines the target sallyport_board, which picks a system on chip from bsp/ and its drivers, and
# links the firmware with it.

# sallyport_use_soc(<soc>): adds bsp/<soc> as target sallyport_bsp_<soc>.
function(sallyport_use_soc soc)
  if(EXISTS "${CMAKE_SOURCE_DIR}/bsp/${soc}/CMakeLists.txt")
    add_subdirectory("${CMAKE_SOURCE_DIR}/bsp/${soc}" "${CMAKE_BINARY_DIR}/bsp/${soc}")
  else()
    sallyport_room(sallyport_bsp_${soc} FOLDER "${CMAKE_SOURCE_DIR}/bsp/${soc}" LINKS sallyport_bsp)
  endif()
endfunction()

# sallyport_linker_script(<file>): every executable that links sallyport_board is laid out by this script.
function(sallyport_linker_script file)
  set(script "${CMAKE_CURRENT_SOURCE_DIR}/${file}")
  target_link_options(sallyport_board INTERFACE "-T${script}")
  set_property(TARGET sallyport_board APPEND PROPERTY INTERFACE_LINK_DEPENDS "${script}")
endfunction()

# sallyport_executable(<name> <target or source>...)
#
# An executable for this board, of these targets and sources: <name>.elf with <name>.map beside it on a board without
# operating system.
function(sallyport_executable name)
  add_executable(${name})
  set(own_files)
  foreach(part ${ARGN})
    if(TARGET ${part})
      target_link_libraries(${name} PRIVATE ${part})
    else()
      target_sources(${name} PRIVATE ${part})
      if(NOT IS_ABSOLUTE "${part}")  # else it is generated
        list(APPEND own_files "${CMAKE_CURRENT_SOURCE_DIR}/${part}")
      endif()
    endif()
  endforeach()
  sallyport_check_includes(${name} ${own_files})
  target_link_libraries(${name} PRIVATE sallyport_shared_options sallyport_board)
  target_link_options(${name} PRIVATE "-Wl,-Map=${CMAKE_CURRENT_BINARY_DIR}/${name}.map")
  if(CMAKE_CROSSCOMPILING)
    set_target_properties(${name} PROPERTIES SUFFIX ".elf")
    # picolibc is packaged twice: built for size, where memcpy and memset go byte by byte, and built for speed. The choice
    # must not be made twice: the compiler's specs then make one path of both.
    if(NOT CMAKE_CXX_FLAGS MATCHES "picolibc-buildtype")
      target_link_options(${name} PRIVATE "--picolibc-buildtype=release")
    endif()
  endif()
endfunction()
