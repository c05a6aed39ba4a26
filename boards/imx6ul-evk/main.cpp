// Where the start-up code (bsp/imx6ul/startup.S) goes when memory and C++ are ready.
#include "bsp/board.h"
#include "firmware/appliance.h"

int main() { sallyport::firmware::run(sallyport::bsp::board()); }
