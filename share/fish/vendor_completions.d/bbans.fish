# fish completion of bbans: made by tools/shell_files.py from the parsers in bbans/cli

function __bbans_runs
    set -l words (commandline -opc)
    test (count $words) -gt 1; and test "$words[2]" = $argv[1]
end

function __bbans_runs_none
    set -l words (commandline -opc)
    test (count $words) -eq 1; or not contains -- "$words[2]" demo train compress decompress pack unpack get export info
end

complete -c bbans -n 'test (count (commandline -opc)) -eq 1' -a demo -d 'reproduce Figure 1 of the paper, or code images under a VAE'
complete -c bbans -n 'test (count (commandline -opc)) -eq 1' -a train -d 'train a model on files'
complete -c bbans -n 'test (count (commandline -opc)) -eq 1' -a compress -d 'compress a file, of samples, images or tables too'
complete -c bbans -n 'test (count (commandline -opc)) -eq 1' -a decompress -d 'restore a file, or what is left of it'
complete -c bbans -n 'test (count (commandline -opc)) -eq 1' -a pack -d 'make a record file of lines'
complete -c bbans -n 'test (count (commandline -opc)) -eq 1' -a unpack -d 'restore the lines of a record file'
complete -c bbans -n 'test (count (commandline -opc)) -eq 1' -a get -d 'print records of a record file'
complete -c bbans -n 'test (count (commandline -opc)) -eq 1' -a export -d 'write a model as C for devices'
complete -c bbans -n 'test (count (commandline -opc)) -eq 1' -a info -d 'describe a compressed file or a model'
complete -c bbans -n __bbans_runs_none -s h -l help -d 'show this help message and exit'
complete -c bbans -n __bbans_runs_none -s d -l decompress -d 'restore each FILE.bbz to FILE'
complete -c bbans -n __bbans_runs_none -s t -l test -d 'decode and check each FILE, and write nothing'
complete -c bbans -n __bbans_runs_none -s l -l list -d 'list what each FILE holds'
complete -c bbans -n __bbans_runs_none -s c -l stdout -d 'write to stdout, files one behind the other'
complete -c bbans -n __bbans_runs_none -s o -l output -r -F -d 'write to OUT, of one FILE'
complete -c bbans -n __bbans_runs_none -s f -l force -d 'replace outputs, write to a terminal, compress FILE.bbz'
complete -c bbans -n __bbans_runs_none -s k -l keep -d 'keep each FILE'
complete -c bbans -n __bbans_runs_none -l rm -d 'delete each FILE when its output is complete and on disk'
complete -c bbans -n __bbans_runs_none -s r -l recursive -d 'of a FILE that is a directory, take all files in it'
complete -c bbans -n __bbans_runs_none -s q -l quiet -d 'no warnings, and no progress, on stderr'
complete -c bbans -n __bbans_runs_none -s v -l verbose -d 'say the sizes of each FILE'
complete -c bbans -n __bbans_runs_none -s 1 -d 'fast'
complete -c bbans -n __bbans_runs_none -s 2
complete -c bbans -n __bbans_runs_none -s 3
complete -c bbans -n __bbans_runs_none -s 4
complete -c bbans -n __bbans_runs_none -s 5
complete -c bbans -n __bbans_runs_none -s 6
complete -c bbans -n __bbans_runs_none -s 7
complete -c bbans -n __bbans_runs_none -s 8
complete -c bbans -n __bbans_runs_none -s 9 -d 'small'
complete -c bbans -n __bbans_runs_none -s T -l threads -r -f -d 'code N blocks at a time'
complete -c bbans -n __bbans_runs_none -s m -l model -r -F -a 'english text digits digit_rows' -d 'a frozen model'
complete -c bbans -n __bbans_runs_none -s V -l version -d 'show program'\''s version number and exit'
complete -c bbans -n '__bbans_runs demo' -s h -l help -d 'show this help message and exit'
complete -c bbans -n '__bbans_runs demo' -s q -l quiet -d 'no progress on stderr'
complete -c bbans -n '__bbans_runs demo' -a 'figure vae' -d 'default: figure'
complete -c bbans -n '__bbans_runs demo' -l text -r -F -d 'UTF-8 text for the right panel'
complete -c bbans -n '__bbans_runs demo' -s o -l output -r -F -d 'where the figure goes'
complete -c bbans -n '__bbans_runs demo' -l iterations -r -f -d 'EM iterations for the text model'
complete -c bbans -n '__bbans_runs demo' -l data -r -F -d 'with vae: a folder with t10k-images-idx3-ubyte.gz, the test images of MNIST'
complete -c bbans -n '__bbans_runs demo' -l images -r -f -d 'with vae: how many'
complete -c bbans -n '__bbans_runs demo' -l seed -r -f -d 'default: 0'
complete -c bbans -n '__bbans_runs train' -s h -l help -d 'show this help message and exit'
complete -c bbans -n '__bbans_runs train' -s q -l quiet -d 'no progress on stderr'
complete -c bbans -n '__bbans_runs train' -s o -l output -r -F -d 'the frozen model'
complete -c bbans -n '__bbans_runs train' -s f -l force -d 'replace an existing model'
complete -c bbans -n '__bbans_runs train' -l states -r -f -d 'hidden states'
complete -c bbans -n '__bbans_runs train' -l levels -r -f -d 'train a hierarchical HMM: states of each level, the one next to the data first, for example 32,8'
complete -c bbans -n '__bbans_runs train' -l order -r -f -d 'train an autoregressive model, whose emissions also depend on up to N bytes before, N <= 16, or auto'
complete -c bbans -n '__bbans_runs train' -l model-size -r -f -d 'with --order or --mixing: maximum size of the model file, a number or one with K, M or G'
complete -c bbans -n '__bbans_runs train' -l iterations -r -f -d 'EM iterations at most'
complete -c bbans -n '__bbans_runs train' -l prec -r -f -d 'precision of the tables, 8 to 28, with --order to 24'
complete -c bbans -n '__bbans_runs train' -l seed -r -f -d 'default: 0'
complete -c bbans -n '__bbans_runs train' -l lines -d 'each line is a sequence of its own'
complete -c bbans -n '__bbans_runs train' -l ends -d 'with --lines: leave out line feeds and train the model to say where a line ends'
complete -c bbans -n '__bbans_runs train' -l text -d 'the files are text in UTF-8, and the model codes text'
complete -c bbans -n '__bbans_runs train' -l mixing -d 'train a context mixer'
complete -c bbans -n '__bbans_runs train' -l latents -r -f -d 'train a linear Gaussian model of N latent dimensions'
complete -c bbans -n '__bbans_runs train' -l gaussian -d 'train an HMM whose --states emit rows of --channels integers under Gaussians'
complete -c bbans -n '__bbans_runs train' -l covariance -r -f -d 'with --gaussian: full, diag, spherical or tied covariances'
complete -c bbans -n '__bbans_runs train' -l tree -r -f -d 'train a latent tree of K states for each of --channels columns'
complete -c bbans -n '__bbans_runs train' -l type -r -f -a 'int uint8 int8 uint16 int16 uint32 int32 uint64 int64' -d 'with --latents, --gaussian or --tree: the little-endian elements'
complete -c bbans -n '__bbans_runs train' -l channels -r -f -d 'with --latents or --gaussian: elements sampled together, at most 64'
complete -c bbans -n '__bbans_runs train' -l noise -r -f -a 'gaussian logistic laplace' -d 'with --latents: shape of the noise'
complete -c bbans -n '__bbans_runs train' -l predictive -d 'let it code by its predictive distribution alone, without bits back'
complete -c bbans -n '__bbans_runs train' -l save-float -r -F -d 'also write the float model'
complete -c bbans -n '__bbans_runs train' -l checkpoint -r -F -d 'keep the state of training in FILE, to go on from if it is interrupted'
complete -c bbans -n '__bbans_runs train' -l resume -d 'go on from --checkpoint, if there is one, to the model that training without a stop would give'
complete -c bbans -n '__bbans_runs compress' -s h -l help -d 'show this help message and exit'
complete -c bbans -n '__bbans_runs compress' -s q -l quiet -d 'no progress on stderr'
complete -c bbans -n '__bbans_runs compress' -s o -l output -r -F -d '- is stdout'
complete -c bbans -n '__bbans_runs compress' -s m -l model -r -F -a 'english text digits digit_rows' -d 'a frozen model'
complete -c bbans -n '__bbans_runs compress' -s 1 -d 'fast'
complete -c bbans -n '__bbans_runs compress' -s 2
complete -c bbans -n '__bbans_runs compress' -s 3
complete -c bbans -n '__bbans_runs compress' -s 4
complete -c bbans -n '__bbans_runs compress' -s 5
complete -c bbans -n '__bbans_runs compress' -s 6
complete -c bbans -n '__bbans_runs compress' -s 7
complete -c bbans -n '__bbans_runs compress' -s 8
complete -c bbans -n '__bbans_runs compress' -s 9 -d 'small'
complete -c bbans -n '__bbans_runs compress' -s T -l threads -r -f -d 'code N blocks at a time'
complete -c bbans -n '__bbans_runs compress' -s f -l force -d 'replace an existing output'
complete -c bbans -n '__bbans_runs compress' -l block-size -r -f -d 'elements per block, which take at most 16 MiB'
complete -c bbans -n '__bbans_runs compress' -l as -r -f -a 'auto bytes npy wav safetensors csv' -d 'what FILE is'
complete -c bbans -n '__bbans_runs compress' -l type -r -f -a 'int uint8 int8 uint16 int16 uint32 int32 uint64 int64 float16 float32 float64 bfloat16 float8_e4m3fn float8_e5m2 bool' -d 'FILE is a signal, bare numbers under a model that is fitted to them, or under MODEL: int8 to int64, uint8 to uint64, int for int32, float16 to float64, bfloat16, float8_e4m3fn, float8_e5m2, bool, datetime64[ns] and the like'
complete -c bbans -n '__bbans_runs compress' -l channels -r -f -d 'with --type: values that are sampled together'
complete -c bbans -n '__bbans_runs compress' -l shape -r -f -d 'with --type: of the array that FILE holds'
complete -c bbans -n '__bbans_runs compress' -l axes -r -f -d 'with --shape, or a .npy file: what the axes of images, video, volumes or maps are: a letter each, as tyx or yxc, or names, as time,lat,lon'
complete -c bbans -n '__bbans_runs decompress' -s h -l help -d 'show this help message and exit'
complete -c bbans -n '__bbans_runs decompress' -s q -l quiet -d 'no progress on stderr'
complete -c bbans -n '__bbans_runs decompress' -s o -l output -r -F -d '- is stdout'
complete -c bbans -n '__bbans_runs decompress' -s m -l model -r -F -a 'english text digits digit_rows' -d 'the frozen model'
complete -c bbans -n '__bbans_runs decompress' -s T -l threads -r -f -d 'code N blocks at a time'
complete -c bbans -n '__bbans_runs decompress' -s f -l force -d 'replace an existing output'
complete -c bbans -n '__bbans_runs decompress' -l salvage -d 'leave damaged blocks out, name them, and exit with 1'
complete -c bbans -n '__bbans_runs decompress' -l max-size -r -f -d 'refuse to write more bytes: a number, or one with K, M, G or T'
complete -c bbans -n '__bbans_runs pack' -s h -l help -d 'show this help message and exit'
complete -c bbans -n '__bbans_runs pack' -s q -l quiet -d 'no progress on stderr'
complete -c bbans -n '__bbans_runs pack' -s o -l output -r -F -d '- is stdout'
complete -c bbans -n '__bbans_runs pack' -s m -l model -r -F -a 'english text digits digit_rows' -d 'a frozen model of bytes or text'
complete -c bbans -n '__bbans_runs pack' -s f -l force -d 'replace an existing output'
complete -c bbans -n '__bbans_runs pack' -s a -l append -d 'append to an existing output, under the model in it'
complete -c bbans -n '__bbans_runs pack' -l as -r -f -a 'lines csv' -d 'what a record is: a line, as of text, logs or JSON lines'
complete -c bbans -n '__bbans_runs pack' -l model-size -r -f -d 'maximum size of the trained model in the output: a number, or one with K, M or G'
complete -c bbans -n '__bbans_runs pack' -l sample -r -f -d 'train on about this much of FILE, in records from all parts of it'
complete -c bbans -n '__bbans_runs pack' -l checksums -d 'add a checksum of 4 bytes to each record, so that damage affects fewer'
complete -c bbans -n '__bbans_runs pack' -l no-model -d 'leave MODEL out of the output'
complete -c bbans -n '__bbans_runs unpack' -s h -l help -d 'show this help message and exit'
complete -c bbans -n '__bbans_runs unpack' -s m -l model -r -F -a 'english text digits digit_rows' -d 'the frozen model'
complete -c bbans -n '__bbans_runs unpack' -s o -l output -r -F -d '- is stdout'
complete -c bbans -n '__bbans_runs unpack' -s f -l force -d 'replace an existing output'
complete -c bbans -n '__bbans_runs unpack' -l salvage -d 'write what can be decoded, list the damaged records on stderr, and exit with 1'
complete -c bbans -n '__bbans_runs get' -s h -l help -d 'show this help message and exit'
complete -c bbans -n '__bbans_runs get' -s m -l model -r -F -a 'english text digits digit_rows' -d 'the frozen model'
complete -c bbans -n '__bbans_runs export' -s h -l help -d 'show this help message and exit'
complete -c bbans -n '__bbans_runs export' -l c-header -r -F -d 'where the header goes'
complete -c bbans -n '__bbans_runs export' -l name -r -f -d 'C name of the model'
complete -c bbans -n '__bbans_runs export' -s f -l force -d 'replace an existing output'
complete -c bbans -n '__bbans_runs info' -s h -l help -d 'show this help message and exit'
complete -c bbans -n '__bbans_runs info' -l plot -r -F -d 'draw it as well, to a .png, .svg or .pdf: bits per element over the position, block by block, or the tables of a model'
complete -c bbans -n '__bbans_runs info' -s f -l force -d 'replace an existing output'
