// Stands in front of OpenCV's own opencv2/opencv.hpp while FFCV is built: the two modules FFCV uses, instead of all of them.
#pragma once
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
