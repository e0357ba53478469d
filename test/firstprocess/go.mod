module yadokari/test/firstprocess

go 1.26.0
