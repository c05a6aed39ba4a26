# sallyport_room(): one folder, one static library, exactly the links that docs/architecture.md allows.

# What all our own code is compiled with. Third-party code gets none of it (cmake/third_party).
add_library(sallyport_options INTERFACE)
target_compile_features(sallyport_options INTERFACE cxx_std_23 c_std_11)
target_include_directories(sallyport_options INTERFACE "${CMAKE_SOURCE_DIR}")
target_compile_options(sallyport_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wundef -Werror
  $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor -Woverloaded-virtual -Wsuggest-override>
  # Paths in the image and in debug information do not depend on where the tree lies.
  "-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=")

# What shared code is compiled with on every board, so that the host runs what the image runs.
add_library(sallyport_shared_options INTERFACE)
target_link_libraries(sallyport_shared_options INTERFACE sallyport_options)
target_compile_options(sallyport_shared_options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions -fno-rtti -fno-threadsafe-statics>)

# Tests may throw and allocate (GoogleTest does); without RTTI, because the classes they derive from have none.
add_library(sallyport_test_options INTERFACE)
target_link_libraries(sallyport_test_options INTERFACE sallyport_options)
target_compile_options(sallyport_test_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fno-rtti>)

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_C_STANDARD 11)

if(SALLYPORT_SANITIZE)
  add_compile_options(-fsanitize=address -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
  # Third-party code is not ours to repair: undefined behaviour is reported in our own only.
  target_compile_options(sallyport_options INTERFACE -fsanitize=undefined -fno-sanitize-recover=undefined)
endif()

find_program(SALLYPORT_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH REQUIRED)

# The rooms of one executable may need each other in any order (the library calls the allocator that its room defines, the
# base asserts through the board), so the linker goes over them until nothing is missing.
set(CMAKE_CXX_LINK_EXECUTABLE
  "<CMAKE_CXX_COMPILER> <FLAGS> <CMAKE_CXX_LINK_FLAGS> <LINK_FLAGS> <OBJECTS> -o <TARGET> \
-Wl,--start-group <LINK_LIBRARIES> -Wl,--end-group")

# sallyport_room(<target> [FOLDER <folder>] [RECURSE] [EXCLUDE <file>...] [LINKS <target>...] [PRIVATE_LINKS <target>...])
#
# A static library of the folder's *.cpp, *.c and *.S (and its subfolders' with RECURSE), found at build time. FOLDER is
# relative to the current one, which is the default. LINKS are the rooms it may know; PRIVATE_LINKS are libraries that users
# of the room do not get to see. An empty folder is an empty library.
function(sallyport_room target)
  cmake_parse_arguments(room "RECURSE" "FOLDER" "EXCLUDE;LINKS;PRIVATE_LINKS" ${ARGN})
  set(folder "${CMAKE_CURRENT_SOURCE_DIR}")
  if(room_FOLDER)
    cmake_path(ABSOLUTE_PATH room_FOLDER NORMALIZE OUTPUT_VARIABLE folder)
  endif()
  set(glob GLOB)
  if(room_RECURSE)
    set(glob GLOB_RECURSE)
  endif()
  file(${glob} sources CONFIGURE_DEPENDS "${folder}/*.cpp" "${folder}/*.c" "${folder}/*.S")
  file(${glob} headers CONFIGURE_DEPENDS "${folder}/*.h")
  foreach(file ${room_EXCLUDE})
    list(REMOVE_ITEM sources "${folder}/${file}")
  endforeach()
  set(checked ${sources} ${headers})
  if(NOT sources)
    set(sources "${CMAKE_CURRENT_BINARY_DIR}/${target}_empty.cpp")
    file(CONFIGURE OUTPUT "${sources}" CONTENT "// No source yet.\n")
  endif()
  add_library(${target} STATIC ${sources} ${headers})
  target_link_libraries(${target} PUBLIC ${room_LINKS} PRIVATE sallyport_shared_options ${room_PRIVATE_LINKS})
  sallyport_check_includes(${target} ${checked})
endfunction()

# The target does not build before tools/check-includes has passed over the files.
function(sallyport_check_includes target)
  if(NOT ARGN)
    return()
  endif()
  set(stamp "${CMAKE_CURRENT_BINARY_DIR}/${target}.includes-checked")
  add_custom_command(
    OUTPUT "${stamp}"
    COMMAND "${SALLYPORT_PYTHON}" "${CMAKE_SOURCE_DIR}/tools/check-includes" ${ARGN}
    COMMAND "${CMAKE_COMMAND}" -E touch "${stamp}"
    DEPENDS ${ARGN} "${CMAKE_SOURCE_DIR}/tools/check-includes"
    COMMENT "Checking what ${target} includes"
    VERBATIM)
  target_sources(${target} PRIVATE "${stamp}")
endfunction()
